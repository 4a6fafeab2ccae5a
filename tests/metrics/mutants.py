"""A copy of the pure rooms with one edit in a source file, to show that a test can fail."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import penviz

PACKAGE = Path(penviz.__file__).parent
ROOMS = ("metrics", "projection", "study")


def path_of(module: str) -> Path:
    """The file of a module of the pure rooms, by its last name."""
    (path,) = [p for room in ROOMS for p in (PACKAGE / room).rglob(f"{module}.py")]
    return path


def name_of(module: str) -> str:
    return ".".join(path_of(module).relative_to(PACKAGE.parent).with_suffix("").parts)


class Editor(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Loads one module from its edited source."""

    def __init__(self, module: str, old: str, new: str) -> None:
        self.name = name_of(module)
        source = path_of(module).read_text(encoding="utf-8")
        assert source.count(old) == 1, f"{module}.py holds {old!r} {source.count(old)} times, not once"
        self.source = source.replace(old, new)

    def find_spec(self, fullname, path, target=None):
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.name else None

    def get_source(self, fullname: str) -> str:
        return self.source


@contextmanager
def mutant(module: str, old: str, new: str, of: str = "table") -> Iterator[ModuleType]:
    """The module `of` as it is when `old` reads `new` in `module`, both by their last name."""
    editor = Editor(module, old, new)

    def names() -> list[str]:
        return [n for n in sys.modules if n.startswith(tuple(f"penviz.{room}." for room in ROOMS))]

    kept = {n: sys.modules.pop(n) for n in names()}
    sys.meta_path.insert(0, editor)
    try:
        yield importlib.import_module(name_of(of))
    finally:
        sys.meta_path.remove(editor)
        for n in names():
            del sys.modules[n]
        sys.modules.update(kept)
        for n, loaded in kept.items():
            above, _, last = n.rpartition(".")
            setattr(sys.modules[above], last, loaded)
