"""The network's weights in the tree of a checkpoint: which group they are, and what lies beside."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from penviz.external.reader import next_steps, torch_names
from penviz.external.reader.inert_text import inert_text
from penviz.external.reader.limits import Limits
from penviz.external.reader.pickle_nodes import Call, Mapping
from penviz.external.reader.report import Refused, printable
from penviz.external.reader.stored import StoredTensor
from penviz.external.reader.torch_tensors import TorchFile

WRAPPERS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "network",
    "net",
    "weights",
    "params",
    "module",
    "teacher",
    "student",
    "model_ema",
    "state_dict_ema",
    "ema_state_dict",
    "ema",
)
"""Keys under which checkpoints keep their weights, the likeliest first."""

PREFIXES = (
    "module.",
    "_orig_mod.",
    "model.",
    "backbone.",
    "network.",
    "net.",
    "encoder.",
    "ema_model.",
    "_model.",
)
"""What DDP, torch.compile, Lightning, MMPretrain and others put before every key."""

BESIDE = (
    *("n_averaged", "criterion.", "loss.", "loss_fn.", "metrics.", "train_metrics.", "val_metrics."),
    *("normalizer.", "attacker."),
)
"""Keys that belong to the training and not to the network, also under a prefix of all keys."""


OF_OPTIMIZER = {"state", "param_groups"}
"""Keys of what an optimizer's state_dict() returns."""


@dataclass(frozen=True)
class Found:
    """The group that makes the network.

    Attributes:
        tensors: with their keys as stored; keys: the same after the prefix was cut; wrapper, prefix, extras,
            notes: as in FileReport.
    """

    tensors: list[StoredTensor]
    keys: list[str]
    wrapper: tuple[str, ...]
    prefix: str
    extras: dict[str, str]
    notes: tuple[str, ...]


def find_weights(content: TorchFile, limits: Limits) -> Found:
    """Choose the largest group of tensors with names; of nearly equal ones the likeliest wrapper.

    Raises:
        Refused: no tensors, a name that cannot be shown, a tree without end.
    """
    groups, optimizers = _groups(content, limits)
    if not groups and any(name in content.tree.globals for name in torch_names.NUMPY_ARRAYS):
        step = next_steps.as_tensors(next_steps.where_weights(content.tree))
        raise Refused("The file holds arrays of NumPy in place of tensors.", step)
    if not groups:
        raise Refused("The file holds no tensors.")
    of_network = {
        path: group
        for path, group in groups.items()
        if not any(path[: len(above)] == above for above in optimizers)
    }
    if not of_network:
        raise Refused("The file holds the state of an optimizer and no weights.", next_steps.STATE_DICT)
    most = max(len(group) for group in of_network.values())
    # An average of the weights has one tensor more, its counter, so nearly equal counts as equal.
    close = [path for path, group in of_network.items() if len(group) >= 0.9 * most]
    wrapper = min(close, key=_rank)
    tensors = groups[wrapper]
    others = {path: len(group) for path, group in groups.items() if path != wrapper}
    keys, prefix, left = undo_prefixes([t.key for t in tensors])
    kept = [(t, key) for t, key in zip(tensors, keys, strict=True) if key is not None]
    extras = _extras(content, wrapper)
    notes = [*content.notes, *_beside(others)]
    if left:
        notes.append(
            f"{_count(len(left))} outside the network left out: {', '.join(map(printable, left[:3]))}."
        )
    return Found([t for t, _ in kept], [key for _, key in kept], wrapper, prefix, extras, tuple(notes))


def _rank(path: tuple[str, ...]) -> tuple[int, int]:
    ranks = [WRAPPERS.index(key) if key in WRAPPERS else len(WRAPPERS) for key in path]
    return (max(ranks, default=0), len(path))


def _count(n: int) -> str:
    return f"{n:,} tensor{'s' * (n != 1)}"


def _beside(others: dict[tuple[str, ...], int]) -> list[str]:
    """A sentence on the other groups, summed by the first key of their path."""
    sums: dict[str, int] = {}
    for path, n in others.items():
        first = path[0] if path else "the top level"
        sums[first] = sums.get(first, 0) + n
    if not sums:
        return []
    named = [f"{printable(key, 60)} ({n:,})" for key, n in list(sums.items())[:5]]
    more = f" and {len(sums) - 5:,} more" if len(sums) > 5 else ""
    return [f"Tensors beside the weights: {', '.join(named)}{more}."]


def pairs_of(node: Any) -> list[tuple[Any, Any]] | None:
    """Items of a dictionary of any kind, or None."""
    if isinstance(node, Mapping):
        return node.pairs
    if isinstance(node, Call) and node.function.name in torch_names.MAPPINGS:
        listed = node.arguments[0] if len(node.arguments) == 1 and isinstance(node.arguments[0], list) else []
        pairs = [tuple(item) for item in listed if isinstance(item, list | tuple) and len(item) == 2]
        return [*((item[0], item[1]) for item in pairs), *node.pairs]
    return None


def _items(node: Any) -> list[tuple[Any, Any]]:
    """The pairs of a dictionary, or of a list with their places; [] for anything else."""
    pairs = pairs_of(node)
    if pairs is not None:
        return list(pairs)
    return list(enumerate(node)) if isinstance(node, list | tuple) else []


def _sorted_out(
    content: TorchFile, items: list[tuple[Any, Any]], path: tuple[str, ...], limits: Limits
) -> tuple[dict[str, StoredTensor], list[tuple[tuple[str, ...], Any]]]:
    """The tensors right in a group, by name, and the groups below it, by path."""
    below = []
    named: dict[str, StoredTensor] = {}
    seen: set[str] = set()
    for i, (key, value) in enumerate(items):
        tensor = content.tensor(value)
        is_group = pairs_of(value) is not None or isinstance(value, list | tuple)
        if tensor is None and not is_group:
            continue
        is_name = isinstance(key, str) or (type(key) is int and abs(key) < 2**63)
        name = str(key) if is_name else f"? {i}"
        if name in seen:
            raise Refused(f"Two groups or tensors have the name {printable(name, 80)!r}.")
        seen.add(name)
        if tensor is None:
            below.append(((*path, name), value))
        elif is_name:
            named[name] = replace(tensor, key=checked_key(name, limits))
    return named, below


def _groups(
    content: TorchFile, limits: Limits
) -> tuple[dict[tuple[str, ...], list[StoredTensor]], list[tuple[str, ...]]]:
    """Path of a dictionary or list -> the tensors right in it; and the paths of states of optimizers."""
    root = content.tensor(content.tree.root)
    if root is not None:
        return {(): [replace(root, key="tensor")]}, []
    optimizers: list[tuple[str, ...]] = []
    groups: dict[tuple[str, ...], list[StoredTensor]] = {}
    todo: list[tuple[tuple[str, ...], Any]] = [((), content.tree.root)]
    visited = n_tensors = 0
    while todo:
        path, node = todo.pop()
        if len(path) > limits.depth:
            raise Refused("The pickle of this file nests deeper than any checkpoint.")
        pairs = pairs_of(node)
        items = _items(node)
        if pairs is not None and {key for key, _ in pairs if isinstance(key, str)} >= OF_OPTIMIZER:
            optimizers.append(path)
        visited += 1 + len(items)
        if visited > limits.n_opcodes:
            raise Refused("The pickle of this file repeats itself without end.")
        named, below = _sorted_out(content, items, path, limits)
        n_tensors += len(named)
        if n_tensors > limits.n_tensors:
            raise Refused(f"The file names more than {limits.n_tensors:,} tensors.")
        if named:
            groups.setdefault(path, []).extend(named.values())
        todo += reversed(below)
    return groups, optimizers


def checked_key(key: str, limits: Limits) -> str:
    """A tensor's name that can be shown, else Refused."""
    if not key or len(key) > limits.key_chars or not key.isprintable():
        raise Refused(f"The name of a tensor cannot be shown: {printable(key, 60)!r}.")
    return key


def undo_prefixes(keys: list[str]) -> tuple[list[str | None], str, list[str]]:
    """Cut what every key of the network begins with.

    Keys that belong to the training and not to the network do not stand in the way; they are left out
    where a prefix was cut.

    Returns:
        The key of each, None for those left out; the prefix; the keys left out.
    """
    prefix = ""
    while True:
        beside = [key.removeprefix(prefix).startswith(BESIDE) or not key.startswith(prefix) for key in keys]
        inside = [key for key, out in zip(keys, beside, strict=True) if not out]
        if not inside:
            return list(keys), "", []
        rests = [key[len(prefix) :] for key in inside]
        cut = next((p for p in PREFIXES if all(k.startswith(p) and k != p for k in rests)), "")
        cut = cut or _attribute(rests)
        if not cut:
            break
        prefix += cut
    if not prefix:
        return list(keys), "", []
    shown = [None if out else key[len(prefix) :] for key, out in zip(keys, beside, strict=True)]
    return shown, prefix, [key for key, out in zip(keys, beside, strict=True) if out]


def _attribute(keys: list[str]) -> str:
    """The attribute under which a training script keeps its network, "cnn." of "cnn.conv1.weight"; else "".

    What every key begins with, unless layers by number or the parameters of a layer follow: then it is the
    name of a part of the network.
    """
    first = keys[0].partition(".")[0] + "."
    rests = [key.removeprefix(first) for key in keys]
    is_network = all(key.startswith(first) and "." in key[len(first) :] for key in keys)
    return first if is_network and first != "features." and not any(r[0].isdigit() for r in rests) else ""


def _extras(content: TorchFile, wrapper: tuple[str, ...]) -> dict[str, str]:
    """Short text of all that lies beside the weights on the way to them."""
    extras: dict[str, str] = {}
    node = content.tree.root
    for depth in range(len(wrapper) + 1):
        following = None
        items = pairs_of(node)
        if items is None:
            items = [(str(i), v) for i, v in enumerate(node)] if isinstance(node, list | tuple) else []
        for key, value in items:
            name = str(key) if isinstance(key, str | int) else "?"
            if depth < len(wrapper) and name == wrapper[depth]:
                following = value
            elif content.tensor(value) is None and len(extras) < 50:
                extras[printable(".".join((*wrapper[:depth], name)), 80)] = inert_text(value, content)
        node = following
    return extras
