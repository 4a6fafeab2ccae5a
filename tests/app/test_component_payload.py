"""What the linked panels are sent, and the files that a browser reads for them."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import small_activations
from starlette.requests import Request

from penviz.app.component import served_files
from penviz.app.component.payload import payload
from penviz.metrics.target_vectors import Targets
from penviz.projection.build_panel import build_panel
from penviz.projection.panel import CORRECT, Panel
from penviz.projection.panel_options import PanelOptions

SPLITS = ("train", "validation")
FOLDER = served_files.FOLDER


def made(run: str, split: str, alpha: float, **changes: Any) -> Panel:
    a = small_activations(run, split, alpha)
    return replace(build_panel(a, (0, 1, 2), PanelOptions(20), targets=Targets.of(alpha)), **changes)


@pytest.fixture(scope="module")
def cells() -> list[list[Panel | None]]:
    return [[made(run, split, alpha) for split in SPLITS] for run, alpha in (("h", 0.0), ("s", 0.1))]


def sent(cells: list[list[Panel | None]], dark: bool = False) -> dict[str, Any]:
    sprites = {("h", "train"): {"url": "/there", "columns": 10, "count": 90}}
    loaded: dict[str, Any] = json.loads(payload(cells, sprites, dark))
    return loaded


def unpacked(packed: dict[str, str]) -> list[float]:
    return np.frombuffer(base64.b64decode(packed["bdata"]), "<" + packed["dtype"]).tolist()


def test_pure_modules_under_node() -> None:
    if shutil.which("node") is None:
        pytest.skip("no node: install nodejs to test the component's pure module")
    test = Path(__file__).with_name("geometry.test.mjs")
    ended = subprocess.run(["node", "--test", str(test)], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout
    assert "# pass 11" in ended.stdout


def test_the_modules_stay_few_and_short() -> None:
    modules = sorted(FOLDER.glob("*.js"))
    assert [module.name for module in modules] == sorted(served_files.MODULES)
    assert sum(len(module.read_text(encoding="utf-8").splitlines()) for module in modules) <= 900


def test_each_example_is_sent_with_what_belongs_to_it(cells: list[list[Panel | None]]) -> None:
    told = sent(cells)
    for panel, shown in zip([panel for row in cells for panel in row], told["panels"], strict=True):
        assert panel is not None
        traces = [told["figure"]["data"][t] for t in shown["traces"]]
        assert {trace["xaxis"] for trace in traces} == {f"x{shown['axis']}"}
        x, y = ([v for trace in traces for v in unpacked(trace[key])] for key in ("x", "y"))
        labels = [k for k, _, count in shown["groups"] for _ in range(count)]
        kinds = [kind for _, kind, count in shown["groups"] for _ in range(count)]
        columns = [unpacked(shown[key]) for key in ("indices", "tiles", "predictions", "confidences")]
        told_of = {row[0]: row[1:] for row in zip(columns[0], x, y, labels, kinds, *columns[1:], strict=True)}
        real = zip(
            panel.indices.tolist(),
            *panel.xy.T.tolist(),
            panel.labels.tolist(),
            panel.kinds.tolist(),
            panel.rows.tolist(),
            panel.predictions.tolist(),
            panel.confidences.tolist(),
            strict=True,
        )
        assert told_of == {row[0]: row[1:] for row in real}
        assert set(panel.kinds.tolist()) > {CORRECT} or panel.label_smoothing
        named = {str(k) for k in [*panel.predictions.tolist(), *panel.class_indices]}
        assert named <= set(told["names"])
        assert all(told["names"][k] == panel.class_names[int(k)] for k in named)
    assert [shown["sprite"] is not None for shown in told["panels"]] == [True, False, False, False]


def test_a_payload_is_the_same_whatever_is_shown_and_follows_the_theme(
    cells: list[list[Panel | None]],
) -> None:
    marks = {trace.get("meta") for trace in sent(cells)["figure"]["data"]}
    assert marks == {None, "means", "templates", "optimum"}
    assert {shape.get("name") for shape in sent(cells)["figure"]["layout"]["shapes"]} >= {"boundaries"}
    assert sent(cells)["ink"] != sent(cells, dark=True)["ink"]


def test_only_equal_data_are_linked(cells: list[list[Panel | None]]) -> None:
    def sources(**changes: Any) -> list[str]:
        panels = [*cells, [made("o", split, 0.1, **changes) for split in SPLITS]]
        return [panel["source"] for panel in sent(panels)["panels"]]

    assert sources() == [*SPLITS] * 3
    assert sources(dataset_id="other") == [*SPLITS, *SPLITS, "train2", "validation2"]
    assert sources(dataset_id="") == [*SPLITS, *SPLITS, "train2", "validation2"]
    unknown = [[made(run, "train", 0.1, dataset_id="")] for run in "ab"]
    assert [panel["source"] for panel in sent(unknown)["panels"]] == ["train", "train2"]


def test_runs_of_equal_targets_are_called_by_name(cells: list[list[Panel | None]]) -> None:
    assert [p["name"] for p in sent(cells)["panels"]] == ["hard targets"] * 2 + [
        "label smoothing α = 0.1"
    ] * 2
    twice = [*cells, [made("o", split, 0.1) for split in SPLITS]]
    assert [p["name"] for p in sent(twice)["panels"]][2:] == ["s", "s", "o", "o"]


def test_an_empty_cell_stays_empty(cells: list[list[Panel | None]]) -> None:
    told = sent([cells[0], [None, cells[1][1]]])
    assert [panel is None for panel in told["panels"]] == [False, False, True, False]
    assert told["panels"][3]["axis"] == "4"


def answer(path: str) -> Any:
    """What the server's routes say to a path."""
    for route in served_files.routes():
        match, scope = route.matches({"type": "http", "path": path, "method": "GET"})
        if match.value == 2:
            answering = route.endpoint(Request({"type": "http", "headers": [], **scope}))
            with pytest.raises(StopIteration) as ended:  # it waits for nothing, and a loop may run already
                answering.send(None)
            return ended.value.value
    raise AssertionError(f"No route for {path}.")


def test_files_are_served_as_they_are_and_nothing_else_is(tmp_path: Path) -> None:
    import plotly

    for name in (served_files.PLOTLY, *served_files.MODULES):
        told = answer(served_files.file_url(name))
        assert told.status_code == 200
        assert "immutable" in told.headers["cache-control"]
        assert told.media_type == "text/javascript"
    shipped = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    assert Path(answer(served_files.file_url(served_files.PLOTLY)).path) == shipped
    image = tmp_path / "thumbnails-train.webp"
    image.write_bytes(b"RIFF")
    address = served_files.image_url(image, "one version")
    assert Path(answer(address).path) == image
    assert served_files.image_url(image, "another version") != address
    for bad in ("files/x/mount.py", "files/x/..", "thumbnails/none", f"thumbnails/{image.name}"):
        assert answer(f"/penviz/{bad}").status_code == 404
    image.unlink()
    assert answer(address).status_code == 404


def test_addresses_of_images_are_forgotten_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served_files, "MOST_IMAGES", 2)
    image = tmp_path / "any.webp"
    image.write_bytes(b"RIFF")
    first, *others = (served_files.image_url(image, str(n)) for n in range(3))
    assert [answer(address).status_code for address in (first, *others)] == [404, 200, 200]


def test_a_base_path_stands_before_every_address() -> None:
    from streamlit import config

    before = config.get_option("server.baseUrlPath")
    config.set_option("server.baseUrlPath", "/lab/")
    try:
        assert served_files.file_url("panels.js").startswith("/lab/penviz/files/")
        assert answer(served_files.file_url("panels.js")).status_code == 200
    finally:
        config.set_option("server.baseUrlPath", before)
