"""The rules of the house as checks of source files: which room may import, call and read what."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

HEAVY = ("torch", "torchvision", "safetensors", "umap", "sklearn", "scipy", "pandas")
DRAWING = ("plotly", "matplotlib", "streamlit")
COMMANDS = ("penviz.cli",)
FILE_MODULES = (
    "os", "io", "pathlib", "shutil", "tempfile", "glob", "zipfile", "subprocess", "socket", "pickle",
    "sqlite3", "mmap", "urllib", "http", "penviz.store.runs", "penviz.store.atomic_write",
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

TORCH_ROOMS = (
    "penviz.training",
    "penviz.external.networks",
    "penviz.external.evidence",
    "penviz.external.importing",
    "penviz.own_code",
)
PURE = (
    *TORCH_ROOMS,
    "penviz.external",
    "penviz.plot",
    "penviz.figures",
    "penviz.app",
    *COMMANDS,
    *HEAVY,
    *DRAWING,
)

FORBIDDEN: dict[str, tuple[str, ...]] = {
    "store": (
        *TORCH_ROOMS,
        "penviz.external",
        "penviz.plot",
        "penviz.study",
        "penviz.app",
        *COMMANDS,
        *HEAVY,
        *DRAWING,
    ),
    "training": ("penviz.external", "penviz.plot", "penviz.app", *COMMANDS, *DRAWING),
    "external.reader": (
        *TORCH_ROOMS,
        *(f"penviz.{room}" for room in ("metrics", "projection", "study", "plot", "figures", "app")),
        *COMMANDS,
    ),
    "external.sandbox": ("penviz.plot", "penviz.figures", "penviz.app", *COMMANDS, *HEAVY, *DRAWING),
    "external": ("penviz.plot", "penviz.app", *COMMANDS, *DRAWING),
    "metrics": ("penviz.study", *PURE, *FILE_MODULES),
    "projection": ("penviz.study", *PURE, *FILE_MODULES),
    "study": (*PURE, *(module for module in FILE_MODULES if module != "penviz.store.runs")),
    "plot": (*TORCH_ROOMS, "penviz.external", "penviz.figures", "penviz.app", *COMMANDS, "streamlit", *HEAVY),
    "figures.umap_fit": (*TORCH_ROOMS, "penviz.app", *COMMANDS, *DRAWING),
    "figures": (*TORCH_ROOMS, "penviz.external", "penviz.app", *COMMANDS, *HEAVY, *DRAWING),
    "own_code": ("penviz.app", "streamlit"),
    "app": (*TORCH_ROOMS, *COMMANDS, *HEAVY),
    "cli": ("penviz.app", "streamlit"),
    "demo": (*PURE, "numpy"),
    "did_you_mean": (*PURE, "numpy"),
    "text_table": (*TORCH_ROOMS, "penviz", *HEAVY, *DRAWING),
    "exit_codes": (*TORCH_ROOMS, "penviz.plot", "penviz.app", *HEAVY, *DRAWING),
}
"""Room or module -> what it must not import anywhere, inside functions too; the longest name counts."""

GROUND = {
    "store.adopted": (),
    "store.run_config": ("penviz.InputError", "penviz.store.safe_text"),
    "store.runs": (
        "penviz.did_you_mean",
        "penviz.store.adopted",
        "penviz.store.atomic_write",
        "penviz.store.run_config",
        "penviz.store.safe_text",
    ),
    "store.head": ("penviz.InputError",),
    "store.npz": ("penviz.store.atomic_write", "penviz.store.head"),
    "store.activations": ("penviz.store.head", "penviz.store.npz", "penviz.store.safe_text"),
    "store.float16": (),
    "store.csv_text": (),
    "store.directory_lock": ("penviz.store.run_config",),
    "store.safe_text": (),
    "store.atomic_write": (),
    "store.class_lookup": ("penviz.store.safe_text",),
    "did_you_mean": (),
}
"""Modules that everything stands on -> what of ours they may import."""

STANDARD_LIBRARY_ONLY = (
    "store.runs",
    "store.adopted",
    "store.safe_text",
    "store.csv_text",
    "did_you_mean",
    "demo",
)

LATE_ONLY = (
    *TORCH_ROOMS,
    *(f"penviz.{room}" for room in ("external", "metrics", "projection", "study", "plot", "figures")),
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
    """The longest key of FORBIDDEN that fits, else the name under the package; "app" for app.py."""
    if not path.is_relative_to(package):
        return "app"
    name = dotted(path, package).removeprefix("penviz").removeprefix(".") or "__init__"
    parts = name.split(".")
    heads = [".".join(parts[:i]) for i in range(len(parts), 0, -1)]
    return next((head for head in heads if head in FORBIDDEN), parts[0])


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
    own = module.removeprefix("penviz.")
    for line, name in imports(tree, module, is_package):
        if name == "a name that cannot be read" or under(name, FORBIDDEN.get(room, ())):
            found.append(f"{module}:{line} imports {name}")
        elif own in STANDARD_LIBRARY_ONLY and not under(name, ("penviz", *sys.stdlib_module_names)):
            found.append(f"{module}:{line} imports {name}, and {own} is standard library only")
        elif room == "external.reader" and not under(name, ("numpy", "penviz", *sys.stdlib_module_names)):
            found.append(f"{module}:{line} imports {name}, and the reader is standard library and NumPy only")
        elif own in GROUND and under(name, ("penviz",)) and not under(name, GROUND[own]):
            found.append(f"{module}:{line} imports {name}, and {own} stands on nothing of ours")
        elif room != "app" and under(name, ("streamlit",)):
            found.append(f"{module}:{line} imports {name} outside the app")
    return found


def late_imports(tree: ast.Module, module: str, room: str, is_package: bool) -> list[str]:
    """Heavy imports of the command line that are not inside a function."""
    if room not in ("cli", "__main__", "__init__"):
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
    heavy = ("penviz.training", *HEAVY, *DRAWING) if module == "penviz.cli.terminal" else LATE_ONLY
    found = {(line, name) for line, name in imports(top, module, is_package) if under(name, heavy)}
    return [f"{module}:{line} imports {name} outside a verb" for line, name in sorted(found)]


def file_calls(tree: ast.Module, module: str, room: str, is_package: bool) -> list[str]:
    if room not in ("metrics", "projection"):
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

    # Tables whose entries are made by small functions of the same module: `_resnet(3)` builds nothing.
    table = (
        factories | {"Architecture"}
        if module in ("penviz.training.models", "penviz.metrics.numbers")
        else set()
    )
    visit(tree.body, constants | table)
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
            if under(name, ("torch", "torchvision", "safetensors", *TORCH_ROOMS)):
                found.append(f"{module}:{line} brings {name} into the app")
            parts = name.split(".")
            todo += [paths[p] for i in range(len(parts)) if (p := ".".join(parts[: i + 1])) in paths]
    return found
