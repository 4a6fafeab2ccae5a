"""What a word that names a class stands for: the same on the command line, in recipes and in shards."""

from __future__ import annotations

from collections.abc import Sequence

from penviz.store.safe_text import safe_name

MOST_DIGITS = 10
"""A longer number is no row of any head."""


def rows_named(wanted: str | int, class_names: Sequence[str]) -> list[int]:
    """Rows of the head that a name or a row stands for: several where classes share it, none where none does.

    A word is a row only where no class is called so: folders may have numbers for names.
    """
    if isinstance(wanted, str):
        called = safe_name(wanted)
        found = [k for k, name in enumerate(class_names) if name == called]
        if found or not (wanted.isdecimal() and wanted.isascii() and len(wanted) < MOST_DIGITS):
            return found
    return [int(wanted)] if 0 <= int(wanted) < len(class_names) else []
