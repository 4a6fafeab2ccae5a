"""A short text of what a pickle holds beside its tensors: numbers, words, lists, arguments of a script."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from penviz.external.reader import torch_names
from penviz.external.reader.pickle_nodes import Call, Collection, Global, Mapping
from penviz.external.reader.report import printable
from penviz.external.reader.torch_tensors import TorchFile

LENGTH, DEPTH, ITEMS = 200, 1, 8
"""Characters of a text, containers in containers and items of a container that it shows."""

_DTYPE = re.compile(r"[fiub][1248]\Z")


def inert_text(node: Any, content: TorchFile) -> str:
    """One line for a value; what is long is cut, what is no plain data is named."""
    return printable(_text(node, content, DEPTH), LENGTH)


def _text(node: Any, content: TorchFile, depth: int) -> str:
    if (tensor := content.tensor(node)) is not None:
        return f"{tensor.dtype} tensor {list(tensor.shape)}"
    if isinstance(node, str):
        return node[: LENGTH + 1]
    if isinstance(node, bytes):
        return f"{len(node):,} bytes"
    if isinstance(node, int) and abs(node) >= 10**18:
        return "a large integer"
    if node is None or isinstance(node, bool | int | float):
        return str(node)
    if isinstance(node, Global):
        return node.name
    if isinstance(node, Call):
        return _call_text(node, content, depth)
    if isinstance(node, Mapping):
        return _pairs_text("{", node.pairs, "}", ": ", content, depth)
    if isinstance(node, list | tuple | Collection):
        items = node.items if isinstance(node, Collection) else node
        left, right = "[]" if isinstance(node, list) else "()" if isinstance(node, tuple) else "{}"
        if depth == 0 and items:
            return f"{left}{_items(len(items))}{right}"
        shown = [_text(item, content, depth - 1) for item in items[:ITEMS]]
        return (
            left + ", ".join(shown) + (f", ... {len(items):,} in all" if len(items) > ITEMS else "") + right
        )
    return "something outside the pickle"


def _items(n: int) -> str:
    return f"{n:,} item{'s' * (n != 1)}"


def _pairs_text(
    left: str, pairs: list[tuple[Any, Any]], right: str, sign: str, content: TorchFile, depth: int
) -> str:
    if depth == 0 and pairs:
        return f"{left}{_items(len(pairs))}{right}"
    shown = [f"{_text(k, content, 0)}{sign}{_text(v, content, depth - 1)}" for k, v in pairs[:ITEMS]]
    more = f", ... {len(pairs):,} in all" if len(pairs) > ITEMS else ""
    return left + ", ".join(shown) + more + right


def _call_text(node: Call, content: TorchFile, depth: int) -> str:
    name, arguments = node.function.name, node.arguments
    short = name.rsplit(".", 1)[-1]
    if name in torch_names.NUMPY_SCALARS and (value := _scalar(arguments)) is not None:
        return value
    if name in torch_names.NUMPY_ARRAYS and isinstance(node.state, tuple) and len(node.state) == 5:
        return f"array {_text(node.state[1], content, 1)}"
    if name in torch_names.MAPPINGS:
        return _pairs_text("{", node.pairs, "}", ": ", content, depth)
    if name == "argparse.Namespace":
        pairs = node.state.pairs if isinstance(node.state, Mapping) else []
        return _pairs_text("Namespace(", pairs, ")", "=", content, depth)
    if name.startswith("pathlib.") and all(isinstance(part, str) for part in arguments):
        return "/".join(part[:LENGTH] for part in arguments[:ITEMS]).replace("//", "/")
    return f"{short}{_text(arguments, content, max(depth - 1, 0))}"


def _scalar(arguments: tuple[Any, ...]) -> str | None:
    """Text of a NumPy scalar: its dtype and its bytes, which protocol 2 keeps as a Latin-1 text."""
    if len(arguments) != 2 or not isinstance(arguments[0], Call) or not arguments[0].arguments:
        return None
    code, raw = arguments[0].arguments[0], arguments[1]
    if isinstance(raw, Call) and raw.function.name == "_codecs.encode" and raw.arguments:
        text = raw.arguments[0]
        raw = text.encode("latin-1", "replace") if isinstance(text, str) else None
    if isinstance(raw, str):
        raw = raw.encode("latin-1", "replace")
    if not isinstance(code, str) or not _DTYPE.match(code) or not isinstance(raw, bytes):
        return None
    try:
        dtype = np.dtype(code)
    except TypeError:
        return None
    return str(np.frombuffer(raw, dtype)[0]) if len(raw) == dtype.itemsize else None
