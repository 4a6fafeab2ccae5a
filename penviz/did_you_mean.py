"""What a mistyped word was meant to be. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """ " (did you mean X?)" to stand behind a word that is not known, "" where nothing is like it."""
    from difflib import get_close_matches

    names = {name.casefold(): name for name in known}
    found = get_close_matches(str(word).casefold(), names, n=1, cutoff=0.7)
    return f" (did you mean {names[found[0]]}?)" if found else ""
