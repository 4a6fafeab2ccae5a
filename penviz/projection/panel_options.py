"""How a panel is drawn."""

from __future__ import annotations

from dataclasses import dataclass

from penviz import InputError
from penviz.did_you_mean import did_you_mean
from penviz.projection.frame import SCALES


@dataclass(frozen=True)
class PanelOptions:
    """How three classes are drawn, in one panel or in a grid of them.

    Attributes:
        per_class: examples drawn of a class at most; every number uses all that are stored.
        seed: of the sample drawn.
        bias: the template holds the bias, as in the paper.
        scale: "distance", "own" or "same" (`frame.SCALES`).
        pull: whether the gradient of the loss is drawn.

    Raises:
        InputError: a value out of range.
    """

    per_class: int = 250
    seed: int = 0
    bias: bool = True
    scale: str = "distance"
    pull: bool = False

    def __post_init__(self) -> None:
        if self.per_class < 1:
            raise InputError("At least one example per class must be drawn.")
        if self.scale not in SCALES:
            meant = did_you_mean(self.scale, SCALES)
            raise InputError(f"There is no scale {self.scale}{meant}: choose {', '.join(SCALES)}.")


DEFAULTS = PanelOptions()
