"""The rules of the house as checks of source files: which room may import, call and read what."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

HEAVY = ("torch", "torchvision", "safetensors", "umap", "sklearn", "scipy", "pandas")
DRAWING = ("plotly", "matplotlib", "streamlit")
COMMANDS = ("penviz.cli", "penviz.terminal", "penviz.verbs")
FILE_MODULES = (
    "os", "io", "pathlib", "shutil", "tempfile", "glob", "zipfile", "subprocess", "socket", "pickle",
    "sqlite3", "mmap", "urllib", "http", "penviz.runs", "penviz.whole_file",
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
    "study": (
        "penviz.foreign",
        "penviz.learn",
        "penviz.load",
        "penviz.show",
        "penviz.charts",
        "penviz.notebook",
        "penviz.view",
        *COMMANDS,
        *HEAVY,
        *DRAWING,
        *(module for module in FILE_MODULES if module != "penviz.runs"),
    ),
    "stored_study": (
        "penviz.learn",
        "penviz.load",
        "penviz.show",
        "penviz.view",
        *COMMANDS,
        *HEAVY,
        *DRAWING,
    ),
    "notebook": ("penviz.view", "streamlit"),
    "snapshots": ("penviz.learn", "penviz.measure", "penviz.show", "penviz.view", *HEAVY, *DRAWING),
    "demo": ("penviz.learn", "penviz.measure", "penviz.show", "penviz.view", *HEAVY, *DRAWING),
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
    "callbacks": ("penviz.show", "penviz.view", *COMMANDS, *DRAWING),
    "captured_run": (
        "penviz.learn",
        "penviz.load",
        "penviz.show",
        "penviz.view",
        *COMMANDS,
        *HEAVY,
        *DRAWING,
    ),
    "run_from_arrays": (
        "penviz.learn",
        "penviz.load",
        "penviz.show",
        "penviz.view",
        *COMMANDS,
        *HEAVY,
        *DRAWING,
    ),
    "named_rows": ("penviz.learn", "penviz.measure", "penviz.show", "penviz.view", *HEAVY, *DRAWING),
    "fair_test": ("penviz.learn", "penviz.show", "penviz.view", *COMMANDS, *HEAVY, *DRAWING),
    "pilots": ("penviz.learn", "penviz.measure", "penviz.show", "penviz.view", *HEAVY, *DRAWING),
    "runs": ("penviz.learn", "penviz.measure", "penviz.show", "penviz.view", *HEAVY, *DRAWING),
    "did_you_mean": ("penviz.learn", "penviz.measure", "penviz.show", "penviz.view", *HEAVY, *DRAWING),
    "directory_lock": ("penviz.learn", "penviz.measure", "penviz.show", "penviz.view", *HEAVY, *DRAWING),
    "csv_text": ("penviz.learn", "penviz.measure", "penviz.show", "penviz.view", *HEAVY, *DRAWING),
    "safe_text": ("penviz.learn", "penviz.measure", "penviz.show", "penviz.view", *HEAVY, *DRAWING),
    "whole_file": ("penviz.learn", "penviz.measure", "penviz.show", "penviz.view", *HEAVY, *DRAWING),
    "recipe": ("penviz.learn", "penviz.view", *COMMANDS, *HEAVY, *DRAWING),
    "figure": ("penviz.learn", "penviz.view", *COMMANDS, *HEAVY, *DRAWING),
    "figure_files": ("penviz.learn", "penviz.view", *COMMANDS, *HEAVY, *DRAWING),
    "figure_runs": ("penviz.learn", "penviz.view", *COMMANDS, *HEAVY, *DRAWING),
    "embeddings": ("penviz.learn", "penviz.load", "penviz.view", *COMMANDS, *HEAVY, *DRAWING),
    "umap_points": ("penviz.learn", "penviz.measure", "penviz.view", *COMMANDS, *HEAVY, *DRAWING),
    "umap_fit": ("penviz.learn", "penviz.measure", "penviz.view", *COMMANDS, *DRAWING),
    "adoption_request": ("penviz.learn", "penviz.load", "penviz.show", "penviz.view", *HEAVY, *DRAWING),
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
    "runs": (
        "penviz.InputError",
        "penviz.adopted",
        "penviz.did_you_mean",
        "penviz.safe_text",
        "penviz.whole_file",
    ),
    "activations": ("penviz.InputError", "penviz.safe_text", "penviz.whole_file"),
    "snapshots": ("penviz.activations", "penviz.runs", "penviz.safe_text"),
    "shards": (
        "penviz.activations",
        "penviz.half",
        "penviz.runs",
        "penviz.safe_text",
        "penviz.shard_files",
        "penviz.whole_file",
    ),
    "shard_files": ("penviz.activations", "penviz.runs", "penviz.whole_file"),
    "half": (),
    "named_rows": ("penviz.safe_text",),
    "csv_text": (),
    "did_you_mean": (),
    "directory_lock": ("penviz.runs",),
    "safe_text": (),
    "whole_file": (),
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
    if module in ("app", "penviz.app.server"):  # what Streamlit starts
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
