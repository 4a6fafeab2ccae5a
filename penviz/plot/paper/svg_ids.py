"""Ids of an SVG: while one is written, what has a name in the figure gets an id that nothing else has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure


@contextmanager
def unique_ids(figure: Figure) -> Iterator[None]:
    """Give each artist with a gid one of its own, by which an editor or a style sheet finds it, for a while.

    An id says which panel the artist stands in and what it is: "panel-a-points-airplane-correct",
    "head-train". matplotlib numbers what has no name.
    """
    from matplotlib.text import Text

    before: list[tuple[Artist, str | None]] = []
    taken: set[str] = set()

    def put(artist: Artist, words: str) -> str:
        base = re.sub(r"\W+|_+", "-", words).strip("-") or "artist"
        base = base if base[0].isalpha() else f"id-{base}"
        found, number = base, 1
        while found in taken:
            number += 1
            found = f"{base}-{number}"
        taken.add(found)
        before.append((artist, artist.get_gid()))
        artist.set_gid(found)
        return found

    def put_all(artists: list[Artist], prefix: str = "") -> None:
        for artist in artists:
            gid, label = artist.get_gid(), str(artist.get_label())
            if not gid:
                continue
            said = label if label and not label.startswith("_") else gid
            if isinstance(artist, Text) and not prefix:
                said = f"{gid} {artist.get_text()}".replace("$", "").replace("\\", "")
            put(artist, f"{prefix} {said}")

    try:
        for number, axes in enumerate(figure.axes, start=1):
            prefix = put(axes, axes.get_gid() or f"axes-{number}")
            put_all(axes.get_children(), prefix)
        put_all([child for child in figure.get_children() if child not in figure.axes])
        yield
    finally:
        for artist, gid in before:
            artist.set_gid(gid)
