"""The page through Streamlit's own test client: how tests open it and what they read off it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from small_runs import make_run
from streamlit.testing.v1 import AppTest

APP = Path(__file__).parents[1] / "penviz" / "app" / "main.py"


def opened(**parameters: Any) -> AppTest:
    """The app as a link with some parameters opens it, its panels as a chart that can be read here."""
    return linked(AppTest.from_file(str(APP), default_timeout=60), {"plain": "1", **parameters})


def opened_page(script: Callable[[], None], **parameters: Any) -> AppTest:
    """One page alone, drawn by a function, as a link with some parameters opens it."""
    return linked(AppTest.from_function(script, default_timeout=60), parameters)


def linked(app: AppTest, parameters: dict[str, Any]) -> AppTest:
    for key, value in parameters.items():
        app.query_params[key] = value
    return checked(app.run())


def checked(app: AppTest) -> AppTest:
    assert not app.exception, app.exception[0].value
    assert not app.error
    return app


def html(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def headline(app: AppTest) -> str:
    return html(app).split('<h1 class="pz-finding">')[1].split("</h1>")[0]


def table(app: AppTest) -> str:
    return next(e.proto.body for e in app.get("html") if "pz-table" in e.proto.body)


def charts(app: AppTest, key: str = r"(chart-\d+-\d+|two-classes)") -> list[dict[str, Any]]:
    """The charts of some keys: those of the grid when not given."""
    found = [c.proto for c in app.get("plotly_chart") if re.search(rf"-{key}$", c.proto.id)]
    return [json.loads(chart.spec) for chart in found]


def points(app: AppTest) -> list[str]:
    """The coordinates of all example points, as they go to the browser."""
    return [t["x"]["bdata"] for c in charts(app) for t in c["data"] if "customdata" in t]


def warnings(app: AppTest) -> str:
    return "\n".join(element.value for element in app.warning)


def pair(root: Path, **settings: Any) -> None:
    make_run(root, "hard", 0.0, **settings)
    make_run(root, "soft", 0.1, **settings)
