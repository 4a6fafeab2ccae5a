"""A figure that is written out once, however often it is sent."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def ready(figure: Figure) -> Figure:
    """The same figure with its arrays already as they are sent (base64); it must not be changed any more."""
    return _kind()(figure)


@cache
def _kind() -> Any:
    """The class, made when Plotly is first needed: its import takes a while."""
    from plotly.graph_objects import Figure

    class ReadyFigure(Figure):
        """A figure whose `to_dict` gives what was written once."""

        def __init__(self, figure: Figure) -> None:
            super().__init__()
            self.__dict__["written"] = figure.to_dict()

        def to_dict(self) -> dict[str, Any]:
            """The figure as it is sent."""
            return self.__dict__["written"]

    return ReadyFigure
