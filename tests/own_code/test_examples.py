"""The notebooks of examples/ run from top to bottom, and show what their kept outputs show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.ipynb"))
NEEDS = {"jax_arrays": "jax"}


def shown(cells: list[dict[str, Any]]) -> list[list[str]]:
    """The kinds of outputs of each cell of code, progress bars left out."""
    kinds = []
    for cell in cells:
        if cell["cell_type"] == "code":
            outputs = [o for o in cell["outputs"] if o.get("name") != "stderr"]
            kinds.append([kind for o in outputs for kind in sorted(o.get("data", {"text": ""}))])
    return kinds


def text_of(cells: list[dict[str, Any]], kind: str) -> str:
    outputs = [o for cell in cells for o in cell.get("outputs", [])]
    return "".join("".join(o.get("data", {}).get(kind, "")) for o in outputs)


def test_there_are_three_with_their_outputs() -> None:
    assert [path.stem for path in EXAMPLES] == ["jax_arrays", "own_model", "training_loop"]
    for path in EXAMPLES:
        cells = json.loads(path.read_text())["cells"]
        assert "ρ/d" in text_of(cells, "text/plain"), path.name
        assert "data:image/png" in text_of(cells, "text/html"), path.name
        assert path.stat().st_size < 600_000


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("default")
def test_a_notebook_runs_and_shows_what_is_kept(path: Path, tmp_path: Path) -> None:
    if path.stem in NEEDS:
        pytest.importorskip(NEEDS[path.stem])
    notebook = nbformat.read(path, as_version=4)
    kept = shown(notebook.cells)
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where).execute()
    assert shown(notebook.cells) == kept
    assert "ρ/d" in text_of(notebook.cells, "text/plain")
