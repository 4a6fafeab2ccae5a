"""The four rules of the house, read off the syntax tree of every module, each shown to be able to fail."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from layer_rules import FORBIDDEN, ROOT, broken_rules, dotted, imports, room_of


def test_the_rules_hold() -> None:
    assert broken_rules(ROOT) == []


def test_the_walk_sees_every_module() -> None:
    names = {dotted(p, ROOT / "penviz") for p in (ROOT / "penviz").rglob("*.py")}
    assert {
        "penviz.learn.train",
        "penviz.measure.panel",
        "penviz.show.screen",
        "penviz.view.page_grid",
    } <= names
    seen = {
        name
        for _, name in imports(ast.parse((ROOT / "penviz/verbs/train.py").read_text()), "penviz.verbs.train")
    }
    assert "penviz.learn.train" in seen  # inside a verb
    rooms = {room_of(p, ROOT / "penviz") for p in (ROOT / "penviz").rglob("*.py")}
    assert rooms - {"__init__", "__main__"} <= set(FORBIDDEN), "a room without rules"


PLANTED = {
    "foreign uses torch": ("foreign/bad.py", "def f():\n    import torch", "standard library and NumPy only"),
    "foreign uses safetensors": ("foreign/bad.py", "import safetensors", "standard library and NumPy only"),
    "foreign knows load": ("foreign/bad.py", "from penviz.load import tasks", "imports penviz.load.tasks"),
    "load draws": ("load/bad.py", "import matplotlib.pyplot", "imports matplotlib"),
    "load knows show": ("load/bad.py", "from ..show import screen", "imports penviz.show.screen"),
    "load knows view": ("load/bad.py", "def f():\n    import penviz.view.state", "imports penviz.view"),
    "view knows load": ("view/bad.py", "def f():\n    from penviz.load import adopt", "imports penviz.load"),
    "app knows load": ("../app.py", "import penviz.load.adopt", "imports penviz.load"),
    "app reaches load through another module": ("core.py", "import penviz.load.tasks", "into the app"),
    "learn imports show": ("learn/bad.py", "from penviz.show import screen", "imports penviz.show.screen"),
    "learn draws": ("learn/bad.py", "import plotly.graph_objects as go", "imports plotly"),
    "show imports learn": ("show/bad.py", "import penviz.learn.train", "imports penviz.learn"),
    "show imports learn relatively": (
        "show/bad.py",
        "from ..learn import train",
        "imports penviz.learn.train",
    ),
    "relative import in a package": ("show/__init__.py", "from ..learn import x", "imports penviz.learn.x"),
    "in a function": ("show/bad.py", "def f():\n    import torch", "imports torch"),
    "import_module": (
        "view/bad.py",
        "import importlib\ndef f():\n    importlib.import_module('torch.nn')",
        "torch.nn",
    ),
    "renamed import_module": (
        "view/bad.py",
        "from importlib import import_module as bring\ndef f():\n    bring('penviz.learn.data')",
        "imports penviz.learn.data",
    ),
    "__import__": ("measure/bad.py", "def f():\n    return __import__('scipy')", "imports scipy"),
    "a computed name": ("show/bad.py", "def f(n):\n    return __import__('to' + n)", "cannot be read"),
    "in a try": (
        "measure/bad.py",
        "try:\n    import pandas\nexcept ImportError:\n    pass",
        "imports pandas",
    ),
    "measure knows learn": (
        "measure/bad.py",
        "from penviz.learn.data import load",
        "imports penviz.learn.data",
    ),
    "measure knows show": ("measure/bad.py", "from penviz import show", "imports penviz.show"),
    "measure imports pathlib": ("measure/bad.py", "from pathlib import Path", "imports pathlib"),
    "measure imports os": ("measure/bad.py", "import os.path", "imports os.path"),
    "measure reads runs": ("measure/bad.py", "from penviz.runs import read_run", "imports penviz.runs"),
    "measure opens": ("measure/bad.py", "def f(p):\n    return open(p)", "calls open"),
    "measure loads": ("measure/bad.py", "import numpy as np\ndef f(p):\n    return np.load(p)", "calls load"),
    "measure saves": ("measure/bad.py", "def f(a, p):\n    a.save(p)", "calls save"),
    "measure draws": ("measure/bad.py", "import matplotlib", "imports matplotlib"),
    "measure uses sklearn": ("measure/bad.py", "from sklearn import svm", "imports sklearn"),
    "show knows streamlit": ("show/bad.py", "import streamlit as st", "imports streamlit"),
    "a new room knows streamlit": ("core.py", "import streamlit", "outside the views"),
    "view knows torch": ("view/bad.py", "def f():\n    from torch import nn", "imports torch.nn"),
    "app knows torch": ("../app.py", "import torch", "imports torch"),
    "app reaches learn through another module": ("core.py", "import penviz.learn.train", "into the app"),
    "runs uses numpy": ("runs.py", "import numpy", "standard library only"),
    "adopted uses runs": ("adopted.py", "from penviz.runs import Run", "nothing of ours"),
    "runs uses activations": ("runs.py", "from penviz.activations import Head", "nothing of ours"),
    "activations uses torch": ("activations.py", "def f():\n    import torch", "imports torch"),
    "cli is heavy": ("cli.py", "from penviz.learn import data", "outside a verb"),
    "a verb is heavy": ("verbs/bad.py", "import numpy", "outside a verb"),
    "cli is heavy in an if": ("cli.py", "if 1:\n    import torch", "outside a verb"),
    "a call at import": ("measure/bad.py", "print('hello')", "runs at import"),
    "a loop at import": ("show/bad.py", "for i in range(3):\n    pass", "runs at import"),
    "a computed constant": (
        "learn/bad.py",
        "import torch\nX = torch.zeros(3)",
        "calls torch.zeros at import",
    ),
    "a dataclass that is not frozen": ("show/bad.py", "class A: ...\nX = A()", "calls A at import"),
    "a call in a class": ("learn/bad.py", "class A:\n    x = connect()", "calls connect at import"),
    "a call in a default": ("show/bad.py", "def f(x=read()):\n    pass", "calls read at import"),
    "a call in a comprehension": ("show/bad.py", "X = [go(i) for i in (1, 2)]", "calls go at import"),
    "a decorator that works": ("show/bad.py", "@register(3)\ndef f():\n    pass", "calls register at import"),
}


@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_module_breaks_its_rule(case: str, tmp_path: Path) -> None:
    where, text, expected = PLANTED[case]
    (tmp_path / "penviz").mkdir()
    path = (tmp_path / "penviz" / where).resolve()
    path.parent.mkdir(exist_ok=True)
    (tmp_path / "app.py").write_text("import penviz.core\n")
    path.write_text(text + "\n")
    assert any(expected in sentence for sentence in broken_rules(tmp_path)), broken_rules(tmp_path)


def test_harmless_modules_pass(tmp_path: Path) -> None:
    good = {
        "measure/good.py": '"""Doc."""\nfrom __future__ import annotations\nimport numpy as np\n'
        "from penviz.activations import Activations\nX = (1, 2)\nF = lambda: 3\n",
        "cli.py": "import typer\napp = typer.Typer()\n@app.command()\ndef f():\n    import torch\n",
        "foreign/good.py": "import zlib\nimport numpy as np\nfrom penviz import InputError\n",
        "load/good.py": "import torch\nfrom penviz.foreign import report\nfrom penviz.learn import data\n",
        "learn/good.py": "import torch\n@dataclass(frozen=True)\nclass A:\n    x: int = 1\n",
    }
    for where, text in good.items():
        (tmp_path / "penviz" / where).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "penviz" / where).write_text(text)
    assert broken_rules(tmp_path) == []


STAGES = """
import json, sys
root, with_view = sys.argv[1], sys.argv[2] == "True"
WATCHED = ("torch", "torchvision", "umap", "streamlit", "sklearn", "scipy", "pandas", "matplotlib")
def report(stage):
    print(json.dumps([stage, [m for m in WATCHED if m in sys.modules]]), file=sys.stderr)
sys.path.insert(0, root)
import penviz.foreign.inspection, penviz.foreign.images_zip
report("foreign")
import penviz.measure.panel, penviz.show.screen
report("panel")
import penviz.cli
sys.argv = ["penviz", "--help"]
try:
    penviz.cli.main()
except SystemExit as stop:
    assert not stop.code, stop.code
report("help")
if with_view:
    import penviz.view.page_grid
    report("view")
"""


def stages(root: Path, with_view: bool = True) -> dict[str, list[str]]:
    """Which of the watched modules a child process has imported after each stage."""
    child = subprocess.run(
        [sys.executable, "-c", STAGES, str(root), str(with_view)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=root,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)},
    )
    assert child.returncode == 0, child.stderr
    return dict(json.loads(line) for line in child.stderr.splitlines())


def test_what_a_process_imports() -> None:
    seen = stages(ROOT)
    assert seen["foreign"] == []
    assert seen["panel"] == []
    assert seen["help"] == []
    assert seen["view"] == ["streamlit"]


@pytest.mark.parametrize(
    ("where", "stage"),
    [
        ("foreign/kinds.py", "foreign"),
        ("measure/plane.py", "panel"),
        ("show/screen.py", "panel"),
        ("cli.py", "help"),
    ],
)
def test_a_planted_import_is_seen_by_the_process(where: str, stage: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "penviz", tmp_path / "penviz", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/__init__.py").write_text("")
    path = tmp_path / "penviz" / where
    path.write_text(path.read_text() + "\nimport torch\n")
    assert "torch" in stages(tmp_path, with_view=False)[stage]
