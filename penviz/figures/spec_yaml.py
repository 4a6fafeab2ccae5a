"""What recipes have in common: reading small YAML files with care, checks of their values, versions."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from penviz import InputError, __version__
from penviz.did_you_mean import did_you_mean
from penviz.store.safe_text import safe_text

LARGEST = 64 * 1024
"""Bytes of a recipe; a larger file is refused before it is read."""

FORMAT = 1
"""Version of the layout of the file; another one is refused."""

MOST_RUNS = 64
FEWEST_DPI, MOST_DPI = 50, 1200


class RecipeError(InputError):
    """A recipe that cannot be followed; the message is one sentence for the user."""


def to_yaml(record: Mapping[str, Any]) -> str:
    """The keys of a recipe as its text, headed by its format."""
    return yaml.safe_dump({"recipe": FORMAT, **record}, sort_keys=False, allow_unicode=True, width=4096)


def from_yaml(text: str) -> dict[str, Any]:
    """The keys of a recipe, its format checked and taken off.

    Raises:
        RecipeError: too large, not YAML, a tag or an alias, a repeated key, or another format.
    """
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        raise RecipeError(f"A recipe has at most {LARGEST // 1024} KB: this is another file.")
    try:
        record = yaml.load(text, _Loader)
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        at = getattr(error, "problem_mark", None)
        where = f" (line {at.line + 1})" if at is not None else ""
        raise RecipeError(f"This is not a recipe: its YAML cannot be read{where}.") from None
    check(isinstance(record, dict), "This is not a recipe: it has no keys")
    made = record.pop("recipe", None)
    if made is None:
        raise RecipeError("This is not a recipe of penviz: it lacks the key recipe.")
    if made != FORMAT or isinstance(made, bool):
        raise RecipeError(f"This recipe has another format, this penviz reads {FORMAT}.")
    found: dict[str, Any] = record
    return found


def read_text(path: Path) -> str:
    """The text of a recipe; RecipeError where there is none."""
    try:
        with open(path, "rb") as file:
            return file.read(LARGEST + 1).decode("utf-8")
    except FileNotFoundError:
        raise RecipeError(f"There is no recipe {path}.") from None
    except IsADirectoryError:
        raise RecipeError(f"{path} is a directory: give the recipe in it.") from None
    except UnicodeDecodeError:
        raise RecipeError(f"{path} is not a recipe: it is not text.") from None


def version_note(written: Mapping[str, str]) -> str:
    """One sentence on versions other than those written, "" where all are the same."""
    now = versions()
    other = [
        f"{name} {then} (here {now.get(name, 'unknown')})"
        for name, then in written.items()
        if now.get(name) != then
    ]
    return f"The recipe was written with {', '.join(other)}: bytes may differ." if other else ""


class _Loader(yaml.SafeLoader):
    """Plain YAML only: an alias or a key given twice is refused."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):  # type: ignore[no-untyped-call,unused-ignore]
            raise yaml.YAMLError("an alias")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        made = super().construct_mapping(node, deep)
        if len(made) != len(node.value):
            raise yaml.YAMLError("a key given twice")
        return made


def versions() -> dict[str, str]:
    """Versions of what decides the bytes of a figure."""
    found = {"penviz": __version__}
    for name in ("matplotlib", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def check(holds: bool, sentence: str) -> None:
    """Raise RecipeError with a sentence unless something holds."""
    if not holds:
        raise RecipeError(f"{sentence[0].upper()}{sentence[1:]}.")


def check_one_of(key: str, value: object, known: Iterable[str]) -> None:
    """RecipeError unless a value is one of some words; it lists them."""
    words = list(known)
    check(value in words, f"{key} is one of {', '.join(words)}{did_you_mean(value, words)}")


def is_text(value: object) -> bool:
    """A word or more on one line."""
    return isinstance(value, str) and 0 < len(value) <= 4096 and safe_text(value) == value


def is_list(value: object) -> bool:
    """A list or a tuple."""
    return isinstance(value, list | tuple)


def is_whole(value: object, low: int, high: int) -> bool:
    """A whole number in [low, high]."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def plain(value: Any) -> Any:
    """Lists and dictionaries of what YAML can hold."""
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, tuple | list) else value


def record_of(
    kind: Any,
    value: object,
    where: str,
    known: Collection[str] = (),
    renamed: Mapping[str, str] | None = None,
) -> Any:
    """A dataclass of some kind from the keys of a file; RecipeError where they do not fit.

    Args:
        where: the keys stand, in words; known: keys of the file, all fields by default; renamed: key of the
            file -> field, where the two differ.
    """
    check(isinstance(value, dict), f"{where} has no keys")
    assert isinstance(value, dict)
    other = dict(renamed or {})
    field_of = {f.name: f.name for f in fields(kind) if f.name not in other.values()} | other
    unknown = [key[:40] if is_text(key) else "not a word" for key in value if key not in (known or field_of)]
    check(not unknown, f"Unknown key in {where}: {', '.join(unknown[:5])}")
    try:
        return kind(**{field_of[key]: v for key, v in value.items()})
    except TypeError:
        raise RecipeError(f"A key is missing from {where}, or has a value of the wrong kind.") from None


def records_of(
    kind: Any, value: object, where: str, renamed: Mapping[str, str] | None = None
) -> tuple[Any, ...]:
    """The same for a list of them."""
    check(is_list(value), f"{where} must be a list")
    assert isinstance(value, list)
    return tuple(record_of(kind, item, where, renamed=renamed) for item in value)
