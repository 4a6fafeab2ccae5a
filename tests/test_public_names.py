"""`import penviz` brings in next to nothing, and every public name is there, typed, and documented."""

from __future__ import annotations

import ast
import doctest
import inspect
import json
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import pytest

import penviz

PACKAGE = Path(penviz.__file__).parent


def test_import_is_light() -> None:
    code = "import json, sys; import penviz; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "torch", "scipy", "pandas", "matplotlib", "plotly", "streamlit"}
    assert not heavy & {name.split(".")[0] for name in json.loads(done.stdout)}


@pytest.mark.parametrize("name", sorted(penviz.PUBLIC))
def test_a_public_name_is_there_and_documented(name: str) -> None:
    found = resolve_name(penviz.PUBLIC[name])
    assert inspect.getdoc(found)
    assert name in dir(penviz)


def test_the_stub_says_the_same() -> None:
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text())
    said = {
        alias.asname: f"{node.module}:{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert said == penviz.PUBLIC
    assert (PACKAGE / "py.typed").exists()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        penviz.nothing  # noqa: B018


SHOWN_ELSEWHERE = {
    "CapturedRun": "capture",
    "Comparison": "Study",
    "ComparisonFigure": "compare",
    "ComparisonOptions": "Study",
    "load": "save",
}
"""Names whose example stands at another one."""


@pytest.mark.parametrize("name", sorted(penviz.PUBLIC.keys() - SHOWN_ELSEWHERE.keys()))
def test_the_example_of_a_public_name_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    public = resolve_name(penviz.PUBLIC[name])
    found = doctest.DocTestFinder(recurse=False).find(public, name, globs={name: public})
    examples = [test for test in found if test.examples]
    assert examples, "no example"
    for test in examples:
        failed = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test).failed
        assert failed == 0, capsys.readouterr().out
