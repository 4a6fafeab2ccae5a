"""A copy of penviz.measure with one edit in its source, to show that a test can fail."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import penviz.measure

ROOM = Path(penviz.measure.__file__).parent
PREFIX = "penviz.measure"


class Editor(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Loads one module from its edited source."""

    def __init__(self, module: str, old: str, new: str) -> None:
        self.name = f"{PREFIX}.{module}"
        source = (ROOM / f"{module}.py").read_text(encoding="utf-8")
        assert source.count(old) == 1, f"{module}.py holds {old!r} {source.count(old)} times, not once"
        self.source = source.replace(old, new)

    def find_spec(self, fullname, path, target=None):
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.name else None

    def get_source(self, fullname: str) -> str:
        return self.source


@contextmanager
def mutant(module: str, old: str, new: str, of: str = "table") -> Iterator[ModuleType]:
    """penviz.measure.<of> as it is when `old` reads `new` in penviz/measure/<module>.py."""
    editor = Editor(module, old, new)

    def names() -> list[str]:
        return [n for n in sys.modules if n.startswith(f"{PREFIX}.")]

    kept = {n: sys.modules.pop(n) for n in names()}
    bound = {n.rpartition(".")[2]: m for n, m in kept.items()}
    sys.meta_path.insert(0, editor)
    try:
        yield importlib.import_module(f"{PREFIX}.{of}")
    finally:
        sys.meta_path.remove(editor)
        for n in names():
            del sys.modules[n]
        sys.modules.update(kept)
        vars(penviz.measure).update(bound)
