"""The four rules of the house, read off the syntax tree of every module, each shown to be able to fail."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

HEAVY = ("torch", "torchvision", "safetensors", "umap", "sklearn", "scipy", "pandas")
DRAWING = ("plotly", "matplotlib", "streamlit")
COMMANDS = ("penviz.cli", "penviz.terminal", "penviz.verbs")
FILE_MODULES = (
    "os", "io", "pathlib", "shutil", "tempfile", "glob", "zipfile", "subprocess", "socket", "pickle",
    "sqlite3", "mmap", "urllib", "http", "penviz.runs",
)  # fmt: skip
FILE_CALLS = {"open", "load", "save", "savez", "savez_compressed", "savetxt", "loadtxt", "genfromtxt"} | {
    "fromfile",
    "tofile",
    "memmap",
    "dump",
    "read_text",
    "write_text",
    "read_bytes",
    "write_bytes",
}

FORBIDDEN: dict[str, tuple[str, ...]] = {
    "foreign": tuple(
        f"penviz.{room}" for room in ("learn", "load", "measure", "show", "view", "cli", "terminal", "verbs")
    ),
    "learn": ("penviz.load", "penviz.show", "penviz.view", *COMMANDS, *DRAWING),
    "load": ("penviz.show", "penviz.view", *COMMANDS, *DRAWING),
    "measure": (
        "penviz.foreign",
        "penviz.learn",
        "penviz.load",
        "penviz.show",
        "penviz.view",
        *COMMANDS,
        *HEAVY,
        *DRAWING,
        *FILE_MODULES,
    ),
    "show": (
        "penviz.learn",
        "penviz.load",
        "penviz.view",
        *COMMANDS,
        "streamlit",
        *HEAVY,
    ),
    "view": ("penviz.learn", "penviz.load", *COMMANDS, *HEAVY),
    "app": ("penviz.learn", "penviz.load", *COMMANDS, *HEAVY),
    "activations": ("penviz.learn", "penviz.measure", "penviz.show", "penviz.view", *HEAVY, *DRAWING),
    "adopted": ("penviz.learn", "penviz.measure", "penviz.show", "penviz.view", *HEAVY, *DRAWING),
    "snapshots": ("penviz.learn", "penviz.measure", "penviz.show", "penviz.view", *HEAVY, *DRAWING),
    "half": ("penviz.learn", "penviz.measure", "penviz.show", "penviz.view", *HEAVY, *DRAWING),
    "shard_files": ("penviz.learn", "penviz.measure", "penviz.show", "penviz.view", *HEAVY, *DRAWING),
    "shards": ("penviz.learn", "penviz.measure", "penviz.show", "penviz.view", *HEAVY, *DRAWING),
    "filmed": ("penviz.learn", "penviz.view", *COMMANDS, *HEAVY, *DRAWING),
    "run_activations": ("penviz.learn", "penviz.show", "penviz.view", *COMMANDS, *HEAVY, *DRAWING),
    "charts": (
        "penviz.foreign",
        "penviz.learn",
        "penviz.load",
        "penviz.view",
        "penviz.show.screen",
        "penviz.show.paper",
        *COMMANDS,
        *HEAVY,
        *DRAWING,
    ),
    "chart_recipe": ("penviz.learn", "penviz.view", *COMMANDS, *HEAVY, *DRAWING),
    "chart_figure": ("penviz.learn", "penviz.view", *COMMANDS, *HEAVY, *DRAWING),
    "recipe_yaml": ("penviz.learn", "penviz.show", "penviz.view", *COMMANDS, *HEAVY, *DRAWING),
    "pilots": ("penviz.learn", "penviz.measure", "penviz.show", "penviz.view", *HEAVY, *DRAWING),
    "runs": ("penviz.learn", "penviz.measure", "penviz.show", "penviz.view", *HEAVY, *DRAWING),
    "recipe": ("penviz.learn", "penviz.view", *COMMANDS, *HEAVY, *DRAWING),
    "figure": ("penviz.learn", "penviz.view", *COMMANDS, *HEAVY, *DRAWING),
    "figure_files": ("penviz.learn", "penviz.view", *COMMANDS, *HEAVY, *DRAWING),
    "embeddings": ("penviz.learn", "penviz.load", "penviz.view", *COMMANDS, *HEAVY, *DRAWING),
    "umap_points": ("penviz.learn", "penviz.measure", "penviz.view", *COMMANDS, *HEAVY, *DRAWING),
    "umap_fit": ("penviz.learn", "penviz.measure", "penviz.view", *COMMANDS, *DRAWING),
    "adoption": ("penviz.measure", "penviz.show", "penviz.view", *COMMANDS, *DRAWING),
    "calibration_report": ("penviz.learn", "penviz.show", "penviz.view", *COMMANDS, *HEAVY, *DRAWING),
    "cli": ("streamlit",),
    "verbs": ("streamlit",),
    "ending": ("penviz.learn", "penviz.load", "penviz.show", "penviz.view", *HEAVY, *DRAWING),
    "terminal": ("streamlit", "penviz.view"),
}
"""Room or module -> what it must not import anywhere, inside functions too."""

GROUND = {
    "adopted": (),
    "runs": ("penviz.InputError", "penviz.adopted"),
    "activations": ("penviz.InputError",),
    "snapshots": ("penviz.activations", "penviz.runs"),
    "shards": ("penviz.activations", "penviz.half", "penviz.runs", "penviz.shard_files"),
    "shard_files": ("penviz.activations", "penviz.runs"),
    "half": (),
}
"""Modules that everything stands on -> what of ours they may import."""

LATE_ONLY = (
    *(f"penviz.{room}" for room in ("foreign", "learn", "load", "measure", "show")),
    *("numpy", "PIL", "tqdm"),
    *HEAVY,
    *DRAWING,
)
"""What the command line may import inside a verb only."""

CONSTANT_CALLS = {
    "frozenset",
    "tuple",
    "dict",
    "fromkeys",
    "set",
    "range",
    "len",
    "sorted",
    "zip",
    "field",
    "TypeVar",
    "NewType",
    "Path",
    "resolve",
    "compile",
    "getLogger",
    "Typer",
    "Option",
    "Argument",
}
"""Calls that make a constant; frozen dataclasses of the same module do so too."""

DECORATOR_CALLS = {
    "dataclass",
    "no_grad",
    "command",
    "callback",
    "cache_data",
    "cache_resource",
    "fragment",
    "dialog",
    "lru_cache",
    "cache",
    "wraps",
    "total_ordering",
}


def room_of(path: Path, package: Path) -> str:
    """ "foreign", "learn", "load", "measure", "show", "view", or the name of a module beside them."""
    return path.relative_to(package).parts[0].removesuffix(".py") if path.is_relative_to(package) else "app"


def dotted(path: Path, package: Path) -> str:
    if not path.is_relative_to(package):
        return "app"
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def name_of(call: ast.Call) -> str:
    f = call.func
    return f.attr if isinstance(f, ast.Attribute) else f.id if isinstance(f, ast.Name) else ""


def imports(tree: ast.AST, module: str, is_package: bool = False) -> Iterator[tuple[int, str]]:
    """(line, absolute name) of every import: statements at any depth, import_module and __import__ calls."""
    aliases = {"import_module", "__import__"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in ("importlib", "builtins"):
            aliases |= {a.asname or a.name for a in node.names if a.name in ("import_module", "__import__")}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = module.split(".")[: len(module.split(".")) - node.level + is_package]
                base = ".".join([*parent, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"
        elif isinstance(node, ast.Call) and name_of(node) in aliases:
            first = node.args[0] if node.args else None
            constant = isinstance(first, ast.Constant) and isinstance(first.value, str)
            yield node.lineno, first.value if constant else "a name that cannot be read"  # type: ignore[union-attr]


def under(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == p or name.startswith(p + ".") for p in prefixes)


def forbidden_imports(tree: ast.Module, module: str, room: str, is_package: bool) -> list[str]:
    found = []
    for line, name in imports(tree, module, is_package):
        if name == "a name that cannot be read" or under(name, FORBIDDEN.get(room, ())):
            found.append(f"{module}:{line} imports {name}")
        elif room in ("runs", "adopted") and not under(name, ("penviz", *sys.stdlib_module_names)):
            found.append(f"{module}:{line} imports {name}, and {room} is standard library only")
        elif room == "foreign" and not under(name, ("numpy", "penviz", *sys.stdlib_module_names)):
            found.append(f"{module}:{line} imports {name}, and foreign is standard library and NumPy only")
        elif room in GROUND and under(name, ("penviz",)) and not under(name, GROUND[room]):
            found.append(f"{module}:{line} imports {name}, and {room} stands on nothing of ours")
        elif room not in ("view", "app") and under(name, ("streamlit",)):
            found.append(f"{module}:{line} imports {name} outside the views")
    return found


def late_imports(tree: ast.Module, module: str, room: str, is_package: bool) -> list[str]:
    """Heavy imports of the command line that are not inside a function."""
    if room not in ("cli", "verbs", "terminal", "__main__", "__init__"):
        return []
    late = {
        id(node)
        for later in ast.walk(tree)
        if isinstance(later, ast.FunctionDef) or is_type_checking(later)
        for node in ast.walk(later)
    }
    statements = [
        n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom) and id(n) not in late
    ]
    top = ast.Module(list[ast.stmt](statements), [])
    heavy = LATE_ONLY if room in ("cli", "verbs") else ("penviz.learn", *HEAVY, *DRAWING)
    found = {(line, name) for line, name in imports(top, module, is_package) if under(name, heavy)}
    return [f"{module}:{line} imports {name} outside a verb" for line, name in sorted(found)]


def file_calls(tree: ast.Module, module: str, room: str, is_package: bool) -> list[str]:
    if room != "measure":
        return []
    return [
        f"{module}:{node.lineno} calls {name_of(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and name_of(node) in FILE_CALLS
    ]


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def eager_calls(node: ast.AST) -> Iterator[ast.Call]:
    """Calls that run when an expression is evaluated: not those in the body of a lambda."""
    if isinstance(node, ast.Lambda):
        return
    if isinstance(node, ast.Call):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from eager_calls(child)


def work_at_import(tree: ast.Module, module: str, room: str, is_package: bool) -> list[str]:
    """Statements at module or class level that do more than define."""
    if room == "app":  # a script: Streamlit runs it as __main__
        return []
    factories = {n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("_")}
    constants = CONSTANT_CALLS | {
        n.name
        for n in tree.body
        if isinstance(n, ast.ClassDef)
        and any(ast.unparse(d) == "dataclass(frozen=True)" for d in n.decorator_list)
    }
    postponed = any(isinstance(n, ast.ImportFrom) and n.module == "__future__" for n in tree.body)
    found: list[str] = []

    def check(expression: ast.AST | None, allowed: set[str]) -> None:
        for call in eager_calls(expression) if expression is not None else ():
            if name_of(call) not in allowed:
                found.append(f"{module}:{call.lineno} calls {ast.unparse(call.func)} at import")

    def visit(body: list[ast.stmt], constants: set[str]) -> None:
        for node in body:
            if isinstance(node, ast.Import | ast.ImportFrom | ast.Pass):
                continue
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for decorator in node.decorator_list:
                    check(decorator, DECORATOR_CALLS | {"Option", "Argument"})
                for default in [*node.args.defaults, *node.args.kw_defaults]:
                    check(default, constants)
                for argument in () if postponed else ast.walk(node.args):
                    check(argument.annotation if isinstance(argument, ast.arg) else None, constants)
            elif isinstance(node, ast.ClassDef):
                for decorator in node.decorator_list:
                    check(decorator, DECORATOR_CALLS)
                visit(node.body, constants)
            elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
                check(node.value, constants)
            elif is_type_checking(node):
                visit(node.body, constants)  # type: ignore[attr-defined]
            elif isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
                continue
            else:
                found.append(f"{module}:{node.lineno} has a statement that runs at import")

    # MODELS is a table whose builders are made by small closures over a width: `_resnet(3)` builds nothing.
    visit(tree.body, constants | (factories if module == "penviz.learn.models" else set()))
    return found


CHECKS: tuple[Callable[[ast.Module, str, str, bool], list[str]], ...] = (
    forbidden_imports,
    late_imports,
    file_calls,
    work_at_import,
)


def broken_rules(root: Path) -> list[str]:
    """All that is wrong in root/penviz and root/app.py."""
    package = root / "penviz"
    found = []
    for path in [*sorted(package.rglob("*.py")), *([root / "app.py"] if (root / "app.py").exists() else [])]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module, room = dotted(path, package), room_of(path, package)
        for check in CHECKS:
            found += check(tree, module, room, path.name == "__init__.py")
    return found + reached_by_app(root)


def reached_by_app(root: Path) -> list[str]:
    """Modules that app.py reaches through any chain of imports, and that touch torch."""
    package = root / "penviz"
    paths = {dotted(p, package): p for p in package.rglob("*.py")}
    todo, seen, found = [root / "app.py"] if (root / "app.py").exists() else [], set(), []
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        module = dotted(path, package)
        for line, name in imports(ast.parse(path.read_text()), module, path.name == "__init__.py"):
            if under(name, ("torch", "torchvision", "safetensors", "penviz.learn", "penviz.load")):
                found.append(f"{module}:{line} brings {name} into the app")
            parts = name.split(".")
            todo += [paths[p] for i in range(len(parts)) if (p := ".".join(parts[: i + 1])) in paths]
    return found


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
