"""Foreign words made safe to show: what steers a terminal or reverses a line is escaped.

Names of classes and runs come from files of other people. They pass through here once, where they come in,
so that every way out (terminal, page, CSV, TeX, SVG, HTML) can print them as they are. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

LONGEST_NAME = 200
"""Characters of a name; what is longer is cut."""

_STEERS = (
    r"\x00-\x1f\x7f-\x9f"  # C0 and C1 controls: ESC, BEL, NUL, tabs and line breaks
    r"\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"  # invisible, bidirectional, line ends
    r"\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff"  # halves of pairs, and no characters
    r"\U000e0000-\U000e007f"  # tags, but in the flags below
)
"""Characters that are not drawn but change what is drawn around them. The joiners U+200C and U+200D are left:
Persian, Indic scripts and emoji are written with them.

Source: Unicode Standard Annex 9 (bidirectional controls) and 31, and the characters that XML 1.0 forbids.
"""

_FLAG = "\U0001f3f4[\U000e0030-\U000e007a]{1,6}\U000e007f"
_UNSAFE = re.compile(f"{_FLAG}|[{_STEERS}]")
_UNSAFE_LINE = re.compile(f"{_FLAG}|(?!\n)[{_STEERS}]")


def safe_text(text: str, lines: bool = False) -> str:
    r"""One line that can be shown anywhere; unsafe characters are written as in Python: \x1b, \u202e.

    Args:
        text: any; lines: whether its line breaks stay.
    """
    return (_UNSAFE_LINE if lines else _UNSAFE).sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    found = match.group()
    return found if len(found) > 1 else found.encode("unicode_escape").decode()


def safe_name(name: object) -> str:
    """The name of a class or a run, safe to show and at most LONGEST_NAME long."""
    text = safe_text(str(name))
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 3]}..."


def safe_names(names: Iterable[object]) -> tuple[str, ...]:
    """The names of classes, each as `safe_name`."""
    return tuple(safe_name(name) for name in names)


def safe_record(value: Any) -> Any:
    """What a JSON file of other people holds, all its words and keys as `safe_text`."""
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, dict):
        return {safe_text(key): safe_record(item) for key, item in value.items()}
    return [safe_record(item) for item in value] if isinstance(value, list) else value
