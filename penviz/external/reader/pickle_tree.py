"""What a pickle would build, as a tree of inert nodes: nothing is imported, called or set.

A stack machine of its own reads the opcodes of protocols 0 to 5. Where the standard machine would call
something, it keeps a note of the call. An opcode, an argument or a state of the stack that it does not expect
ends the walk: a reader that skips what it does not understand can be led past what matters.

Source of the opcodes: the comments of the standard library's pickletools; PEP 307, 3154 and 574.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from penviz.external.reader.limits import Limits
from penviz.external.reader.pickle_arguments import DAMAGED, Arguments
from penviz.external.reader.pickle_nodes import Call, Collection, Global, Mapping, Persistent, Tree
from penviz.external.reader.report import Refused


@dataclass(frozen=True)
class _Mark:
    """Where a run of stack items begins."""


_MARK = _Mark()
_NAME = re.compile(r"[A-Za-z_<][\w.<>]*\Z")
_OLD_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg", "exceptions": "builtins"}
"""Names of Python 2 that Python 3 maps when it reads protocols 0 to 2."""


class _Walker(Arguments):
    def __init__(self, data: bytes, limits: Limits, at: int = 0):
        super().__init__(data, limits, at)
        self.stack: list[Any] = []
        self.marks = 0
        self.memo: dict[int, Any] = {}
        self.globals: dict[str, None] = {}
        self.nodes: list[Call | Persistent] = []

    # The stack

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise self.damaged("an item is missing")
        return self.stack.pop()

    def top(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise self.damaged("an item is missing")
        return self.stack[-1]

    def pop_to_mark(self) -> list[Any]:
        for i in range(len(self.stack) - 1, -1, -1):
            if self.stack[i] is _MARK:
                items = self.stack[i + 1 :]
                del self.stack[i:]
                self.marks -= 1
                return items
        raise self.damaged("a mark is missing")

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def remember(self, index: int) -> None:
        if not 0 <= index < self.limits.n_memo:
            raise Refused(f"{DAMAGED}: its memo has an entry {index:,}.")
        self.memo[index] = self.top()

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise self.damaged("it refers to something that it never kept")
        self.push(self.memo[index])

    def named(self, module: str, name: str) -> Global:
        module = _OLD_MODULES.get(module, module)
        full = f"{module}.{name}"
        if len(full) > self.limits.key_chars or not _NAME.match(full):
            raise self.damaged("it asks for a name that is none")
        self.globals[full] = None
        return Global(full)

    # Groups of opcodes

    def mark(self) -> None:
        self.marks += 1
        if self.marks > self.limits.depth:
            raise Refused("The pickle of this file nests deeper than any checkpoint.")
        self.push(_MARK)

    def append(self, items: list[Any]) -> None:
        target = self.top()
        if isinstance(target, list):
            target += items
        elif isinstance(target, Call):
            target.items += items
        else:
            raise self.damaged("it appends to what is no list")

    def set_items(self, items: list[Any]) -> None:
        if len(items) % 2:
            raise self.damaged("a key has no value")
        target = self.top()
        if not isinstance(target, Mapping | Call):
            raise self.damaged("it sets an item of what is no dictionary")
        target.pairs += zip(items[::2], items[1::2], strict=True)

    def add(self, items: list[Any]) -> None:
        target = self.top()
        if not isinstance(target, Collection | Call) or (
            isinstance(target, Collection) and target.kind != "set"
        ):
            raise self.damaged("it adds to what is no set")
        target.items += items

    def call(self, function: Any, arguments: Any, keywords: Any = None) -> None:
        if isinstance(function, Persistent):
            function = _class_of(function.identifier)
        if not isinstance(function, Global):
            raise self.damaged("it calls something that has no name")
        if not isinstance(arguments, tuple):
            raise self.damaged("a call in it has no arguments")
        self.nodes.append(Call(function, arguments if keywords is None else (*arguments, keywords)))
        self.push(self.nodes[-1])

    def refer(self, identifier: Any) -> None:
        self.nodes.append(Persistent(identifier))
        self.push(self.nodes[-1])

    def build(self) -> None:
        state = self.pop()
        target = self.top()
        if not isinstance(target, Call) or target.state is not None:
            raise self.damaged("it sets the state of what has none")
        target.state = state

    def reduce(self) -> None:
        arguments = self.pop()
        self.call(self.pop(), arguments)

    def new_object(self, with_keywords: bool) -> None:
        keywords = self.pop() if with_keywords else None
        arguments = self.pop()
        self.call(self.pop(), arguments, keywords)

    def instance(self) -> None:
        module, name = self.text(self.line()), self.text(self.line())
        items = self.pop_to_mark()
        self.call(self.named(module, name), tuple(items))

    def old_object(self) -> None:
        items = self.pop_to_mark()
        if not items:
            raise self.damaged("an object in it has no class")
        self.call(items[0], tuple(items[1:]))

    def stack_global(self) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise self.damaged("it asks for a name that is none")
        self.push(self.named(module, name))

    def put_global(self) -> None:
        module, name = self.text(self.line()), self.text(self.line())
        self.push(self.named(module, name))

    def extension(self, code: str) -> None:
        number = self.number(code)
        self.named("copyreg", f"extension_{number & 0xFFFFFFFF}")
        raise Refused(
            f"The pickle in this file asks for extension {number}, a name that only its writer knows."
        )

    def tuple_of(self, n: int) -> None:
        items = tuple(self.pop() for _ in range(n))
        self.push(items[::-1])

    def discard(self) -> None:
        if self.stack and self.stack[-1] is _MARK:
            self.pop_to_mark()
        else:
            self.pop()

    def protocol(self) -> None:
        if self.number("<B") > 5:
            raise self.damaged("its protocol is unknown")

    def frame(self) -> None:
        if self.number("<Q") > len(self.data) - self.at:
            raise self.damaged("it is cut short")

    def pair(self) -> None:
        value = self.pop()
        key = self.pop()
        self.set_items([key, value])

    def append_one(self) -> None:
        item = self.pop()
        self.append([item])

    def dictionary(self) -> None:
        items = self.pop_to_mark()
        self.push(Mapping())
        self.set_items(items)

    def table(self) -> dict[int, Callable[[], object]]:
        """Opcode -> what to do."""
        push, take, number = self.push, self.take, self.number
        steps: dict[bytes, Callable[[], object]] = {
            b"(": self.mark,
            b"0": self.discard,
            b"1": self.pop_to_mark,
            b"2": lambda: push(self.top()),
            b"F": lambda: push(self.old_float()),
            b"I": lambda: push(self.old_integer()),
            b"J": lambda: push(number("<i")),
            b"K": lambda: push(number("<B")),
            b"L": lambda: push(self.integer(self.line().removesuffix(b"L"))),
            b"M": lambda: push(number("<H")),
            b"N": lambda: push(None),
            b"P": lambda: self.refer(self.text(self.line())),
            b"Q": lambda: self.refer(self.pop()),
            b"R": self.reduce,
            b"S": lambda: push(self.old_string()),
            b"T": lambda: push(self.counted("<i").decode("latin-1")),
            b"U": lambda: push(self.counted("<B").decode("latin-1")),
            b"V": lambda: push(self.old_unicode()),
            b"X": lambda: push(self.text(self.counted("<I"))),
            b"a": self.append_one,
            b"b": self.build,
            b"c": self.put_global,
            b"d": self.dictionary,
            b"}": lambda: push(Mapping()),
            b"e": lambda: self.append(self.pop_to_mark()),
            b"g": lambda: self.recall(self.integer(self.line())),
            b"h": lambda: self.recall(number("<B")),
            b"i": self.instance,
            b"j": lambda: self.recall(number("<I")),
            b"l": lambda: push(self.pop_to_mark()),
            b"]": lambda: push([]),
            b"o": self.old_object,
            b"p": lambda: self.remember(self.integer(self.line())),
            b"q": lambda: self.remember(number("<B")),
            b"r": lambda: self.remember(number("<I")),
            b"s": self.pair,
            b"t": lambda: push(tuple(self.pop_to_mark())),
            b")": lambda: push(()),
            b"u": lambda: self.set_items(self.pop_to_mark()),
            b"G": lambda: push(struct.unpack(">d", take(8))[0]),
            b"\x80": self.protocol,
            b"\x81": lambda: self.new_object(False),
            b"\x82": lambda: self.extension("<B"),
            b"\x83": lambda: self.extension("<H"),
            b"\x84": lambda: self.extension("<i"),
            b"\x85": lambda: self.tuple_of(1),
            b"\x86": lambda: self.tuple_of(2),
            b"\x87": lambda: self.tuple_of(3),
            b"\x88": lambda: push(True),
            b"\x89": lambda: push(False),
            b"\x8a": lambda: push(self.long("<B")),
            b"\x8b": lambda: push(self.long("<i")),
            b"B": lambda: push(self.counted("<I")),
            b"C": lambda: push(self.counted("<B")),
            b"\x8c": lambda: push(self.text(self.counted("<B"))),
            b"\x8d": lambda: push(self.text(self.counted("<Q"))),
            b"\x8e": lambda: push(self.counted("<Q")),
            b"\x8f": lambda: push(Collection("set", [])),
            b"\x90": lambda: self.add(self.pop_to_mark()),
            b"\x91": lambda: push(Collection("frozenset", self.pop_to_mark())),
            b"\x92": lambda: self.new_object(True),
            b"\x93": self.stack_global,
            b"\x94": lambda: self.remember(len(self.memo)),
            b"\x95": self.frame,
            b"\x96": lambda: push(self.counted("<Q")),
        }
        return {code[0]: step for code, step in steps.items()}

    def walk(self) -> Tree:
        table = self.table()
        for _ in range(self.limits.n_opcodes):
            code = self.take(1)[0]
            if code == ord("."):
                root = self.pop()
                if self.stack:
                    raise self.damaged("it ends with more than one item")
                return Tree(root, tuple(self.globals), tuple(self.nodes), self.at)
            step = table.get(code)
            if step is None:
                raise self.damaged(f"it has an unknown opcode {code:#04x}")
            step()
        raise Refused(f"The pickle in this file has more than {self.limits.n_opcodes:,} opcodes.")


def _class_of(identifier: Any) -> Any:
    """The class in ("module", class, file, source), as torch referred to it before 1.6, else None."""
    is_class = isinstance(identifier, tuple) and len(identifier) == 4 and identifier[0] == "module"
    return identifier[1] if is_class else None


def read_tree(data: bytes, limits: Limits, at: int = 0) -> Tree:
    """Walk the pickle that begins at a byte of the data to its end.

    Raises:
        Refused: anything not understood or over a limit; `found["globals"]` holds the names seen until then.
    """
    walker = _Walker(data, limits, at)
    try:
        return walker.walk()
    except Refused as refused:
        refused.found.setdefault("globals", tuple(walker.globals))
        raise


def globals_of(data: bytes, limits: Limits) -> tuple[str, ...]:
    """Names that the pickles at the head of a file ask for: an old torch file has five, then its numbers."""
    names: dict[str, None] = {}
    at = 0
    for _ in range(5):
        try:
            tree = read_tree(data, limits, at)
        except Refused as refused:
            names |= dict.fromkeys(refused.found["globals"])
            break
        names |= dict.fromkeys(tree.globals)
        at = tree.end
    return tuple(names)
