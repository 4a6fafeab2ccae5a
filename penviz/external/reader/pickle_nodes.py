"""What the walk over a pickle leaves: inert nodes, of which none is ever looked up, called or hashed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Global:
    """A name that the pickle asks for; it is never looked up."""

    name: str


@dataclass(eq=False)
class Mapping:
    """A dictionary, as its pairs in order; keys are nodes too, so nothing is hashed."""

    pairs: list[tuple[Any, Any]] = field(default_factory=list)


@dataclass(eq=False)
class Call:
    """A call that the pickle asks for: a function or class, its arguments, and the state set afterwards."""

    function: Any
    arguments: Any
    state: Any = None
    items: list[Any] = field(default_factory=list)
    pairs: list[tuple[Any, Any]] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Persistent:
    """A reference to something outside the pickle: in a torch file, a storage."""

    identifier: Any


@dataclass(eq=False)
class Collection:
    """A set or frozenset, as a list of its members."""

    kind: str
    items: list[Any]


@dataclass(frozen=True)
class Tree:
    """The result of a walk.

    Attributes:
        root: the object that the pickle stands for.
        globals: every name asked for anywhere, used or not; nodes: every call and every outside reference.
        end: the byte of the data behind the pickle.
    """

    root: Any
    globals: tuple[str, ...]
    nodes: tuple[Call | Persistent, ...]
    end: int
