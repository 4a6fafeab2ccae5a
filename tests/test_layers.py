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
        "penviz.training.train",
        "penviz.projection.panel",
        "penviz.plot.screen",
        "penviz.app.page.clusters",
    } <= names
    seen = {
        name for _, name in imports(ast.parse((ROOT / "penviz/cli/train.py").read_text()), "penviz.cli.train")
    }
    assert "penviz.training.train" in seen  # inside a verb
    rooms = {room_of(p, ROOT / "penviz") for p in (ROOT / "penviz").rglob("*.py")}
    assert rooms - {"__init__", "__main__"} <= set(FORBIDDEN), "a room without rules"


PLANTED = {
    "the reader uses torch": ("external/reader/bad.py", "def f():\n    import torch", "NumPy only"),
    "the reader uses safetensors": ("external/reader/bad.py", "import safetensors", "NumPy only"),
    "the reader knows networks": (
        "external/reader/bad.py",
        "from penviz.external.networks import weights",
        "imports penviz.external.networks.weights",
    ),
    "the sandbox uses torch": ("external/sandbox/bad.py", "def f():\n    import torch", "imports torch"),
    "networks draw": ("external/networks/bad.py", "import matplotlib.pyplot", "imports matplotlib"),
    "networks know plot": (
        "external/networks/bad.py",
        "from ...plot import screen",
        "imports penviz.plot.screen",
    ),
    "importing knows the app": (
        "external/importing/bad.py",
        "def f():\n    import penviz.app.state",
        "imports penviz.app",
    ),
    "the app knows importing": (
        "app/bad.py",
        "def f():\n    from penviz.external.importing import adopt",
        "imports penviz.external.importing",
    ),
    "app.py knows importing": ("../app.py", "import penviz.external.importing.adopt", "imports penviz.ext"),
    "the app reaches importing through another module": (
        "core.py",
        "import penviz.external.importing.tasks",
        "into the app",
    ),
    "training imports plot": ("training/bad.py", "from penviz.plot import screen", "penviz.plot.screen"),
    "training draws": ("training/bad.py", "import plotly.graph_objects as go", "imports plotly"),
    "plot imports training": ("plot/bad.py", "import penviz.training.train", "imports penviz.training"),
    "plot imports training relatively": (
        "plot/bad.py",
        "from ..training import train",
        "imports penviz.training.train",
    ),
    "relative import in a package": (
        "plot/__init__.py",
        "from ..training import x",
        "imports penviz.training.x",
    ),
    "in a function": ("plot/bad.py", "def f():\n    import torch", "imports torch"),
    "import_module": (
        "app/bad.py",
        "import importlib\ndef f():\n    importlib.import_module('torch.nn')",
        "torch.nn",
    ),
    "renamed import_module": (
        "app/page/bad.py",
        "from importlib import import_module as bring\ndef f():\n    bring('penviz.training.data')",
        "imports penviz.training.data",
    ),
    "__import__": ("metrics/bad.py", "def f():\n    return __import__('scipy')", "imports scipy"),
    "a computed name": ("plot/bad.py", "def f(n):\n    return __import__('to' + n)", "cannot be read"),
    "in a try": (
        "metrics/bad.py",
        "try:\n    import pandas\nexcept ImportError:\n    pass",
        "imports pandas",
    ),
    "metrics know training": (
        "metrics/bad.py",
        "from penviz.training.data import load",
        "imports penviz.training.data",
    ),
    "metrics know the study": ("metrics/bad.py", "from penviz.study import study", "penviz.study"),
    "projection knows the study": ("projection/bad.py", "from penviz.study import study", "penviz.study"),
    "projection knows plot": ("projection/bad.py", "from penviz import plot", "imports penviz.plot"),
    "projection imports pathlib": ("projection/bad.py", "from pathlib import Path", "imports pathlib"),
    "metrics import os": ("metrics/bad.py", "import os.path", "imports os.path"),
    "metrics read runs": (
        "metrics/bad.py",
        "from penviz.store.runs import read_run",
        "imports penviz.store.runs",
    ),
    "metrics open": ("metrics/tightness/bad.py", "def f(p):\n    return open(p)", "calls open"),
    "metrics load": ("metrics/bad.py", "import numpy as np\ndef f(p):\n    return np.load(p)", "calls load"),
    "projection saves": ("projection/bad.py", "def f(a, p):\n    a.save(p)", "calls save"),
    "metrics draw": ("metrics/bad.py", "import matplotlib", "imports matplotlib"),
    "metrics use sklearn": ("metrics/bad.py", "from sklearn import svm", "imports sklearn"),
    "the study reads files": ("study/bad.py", "from pathlib import Path", "imports pathlib"),
    "plot knows streamlit": ("plot/bad.py", "import streamlit as st", "imports streamlit"),
    "a new room knows streamlit": ("core.py", "import streamlit", "outside the app"),
    "the app knows torch": ("app/bad.py", "def f():\n    from torch import nn", "imports torch.nn"),
    "app.py knows torch": ("../app.py", "import torch", "imports torch"),
    "the app reaches training through another module": (
        "core.py",
        "import penviz.training.train",
        "into the app",
    ),
    "runs use numpy": ("store/runs.py", "import numpy", "standard library only"),
    "adopted uses runs": ("store/adopted.py", "from penviz.store.runs import Run", "nothing of ours"),
    "runs use activations": (
        "store/runs.py",
        "from penviz.store.activations import Head",
        "nothing of ours",
    ),
    "activations use torch": ("store/activations.py", "def f():\n    import torch", "imports torch"),
    "the command line is heavy": ("cli/main.py", "from penviz.training import data", "outside a verb"),
    "a verb is heavy": ("cli/bad.py", "import numpy", "outside a verb"),
    "the command line is heavy in an if": ("cli/main.py", "if 1:\n    import torch", "outside a verb"),
    "a call at import": ("metrics/bad.py", "print('hello')", "runs at import"),
    "a loop at import": ("plot/bad.py", "for i in range(3):\n    pass", "runs at import"),
    "a computed constant": (
        "training/bad.py",
        "import torch\nX = torch.zeros(3)",
        "calls torch.zeros at import",
    ),
    "a dataclass that is not frozen": ("plot/bad.py", "class A: ...\nX = A()", "calls A at import"),
    "a call in a class": ("training/bad.py", "class A:\n    x = connect()", "calls connect at import"),
    "a call in a default": ("plot/bad.py", "def f(x=read()):\n    pass", "calls read at import"),
    "a call in a comprehension": ("plot/bad.py", "X = [go(i) for i in (1, 2)]", "calls go at import"),
    "a decorator that works": ("plot/bad.py", "@register(3)\ndef f():\n    pass", "calls register at import"),
}


@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_module_breaks_its_rule(case: str, tmp_path: Path) -> None:
    where, text, expected = PLANTED[case]
    (tmp_path / "penviz").mkdir()
    path = (tmp_path / "penviz" / where).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "app.py").write_text("import penviz.core\n")
    path.write_text(text + "\n")
    assert any(expected in sentence for sentence in broken_rules(tmp_path)), broken_rules(tmp_path)


def test_harmless_modules_pass(tmp_path: Path) -> None:
    good = {
        "metrics/good.py": '"""Doc."""\nfrom __future__ import annotations\nimport numpy as np\n'
        "from penviz.store.activations import Activations\nX = (1, 2)\nF = lambda: 3\n",
        "cli/good.py": "import typer\napp = typer.Typer()\n@app.command()\ndef f():\n    import torch\n",
        "external/reader/good.py": "import zlib\nimport numpy as np\nfrom penviz import InputError\n",
        "external/networks/good.py": "import torch\nfrom penviz.external.reader import report\n"
        "from penviz.training import data\n",
        "training/good.py": "import torch\n@dataclass(frozen=True)\nclass A:\n    x: int = 1\n",
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
import penviz.external.reader.inspection, penviz.external.reader.images_zip
report("foreign")
import penviz.projection.panel, penviz.plot.screen
report("panel")
import penviz.cli.main
sys.argv = ["penviz", "--help"]
try:
    penviz.cli.main.main()
except SystemExit as stop:
    assert not stop.code, stop.code
report("help")
if with_view:
    import penviz.app.page.clusters
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
        ("external/reader/kinds.py", "foreign"),
        ("projection/plane.py", "panel"),
        ("plot/screen.py", "panel"),
        ("cli/main.py", "help"),
    ],
)
def test_a_planted_import_is_seen_by_the_process(where: str, stage: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "penviz", tmp_path / "penviz", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/__init__.py").write_text("")
    path = tmp_path / "penviz" / where
    path.write_text(path.read_text() + "\nimport torch\n")
    assert "torch" in stages(tmp_path, with_view=False)[stage]
