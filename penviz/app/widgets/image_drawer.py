"""The images of selected examples, in a tray at the foot of the window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from penviz.app.catalogue import digest_of
from penviz.app.component.payload import Sprites, Thumbnails
from penviz.app.component.served_files import image_url
from penviz.plot.theme import CLASS_COLOURS, CLASS_SIGNS
from penviz.plot.thumbnails import Sprite, data_uris, read_sprite
from penviz.projection.panel import CORRECT, Panel
from penviz.store.runs import MANIFEST, Run, stored_path, thumbnails_path

MOST_IMAGES = 60


@st.cache_resource(max_entries=6, show_spinner=False)
def _sprite(path: Path, digest: str, layout: tuple[tuple[str, int], ...]) -> Sprite | None:
    return read_sprite(path, dict(layout))


def _described(run: Run, split: str) -> tuple[Path, dict[str, Any]] | None:
    """The file of thumbnails of a split and how it is laid out; None where there is none."""
    path = thumbnails_path(run.directory, split)
    described = run.record.get("thumbnails")
    layout = described.get(split) if isinstance(described, dict) else None
    in_shards = stored_path(run.directory, split).name == MANIFEST  # whose rows are no tiles
    if in_shards or not isinstance(layout, dict) or not path.is_file():
        return None
    return path, layout


def sprite_of(run: Run, split: str) -> Sprite | None:
    """The sprite of a split of a run, decoded once a version of the file."""
    if (found := _described(run, split)) is None:
        return None
    path, layout = found
    return _sprite(path, digest_of(path), tuple(sorted((str(k), v) for k, v in layout.items())))


def sprite_addresses(runs: Sequence[Run], splits: Sequence[str]) -> Sprites:
    """Where a browser finds the sprites that run.json describes in full."""
    made: dict[tuple[str, str], Thumbnails] = {}
    for run, split in ((run, split) for run in runs for split in splits):
        if (found := _described(run, split)) is not None:
            path, layout = found
            columns, count = layout.get("columns"), layout.get("count")
            if isinstance(columns, int) and isinstance(count, int) and min(columns, count) > 0:
                url = image_url(path, digest_of(path))
                made[run.name, split] = {"url": url, "columns": columns, "count": count}
    return made


def _figure(panel: Panel, position: int, uri: str | None) -> str:
    k = int(panel.labels[position])
    label, prediction = panel.classes[k], panel.class_names[panel.predictions[position]]
    right = panel.kinds[position] == CORRECT
    picture = (
        '<i class="tile"></i>' if uri is None else f'<img class="tile" src="{uri}" alt="{escape(label)}">'
    )
    confidence = float(panel.confidences[position])
    sure = "" if math.isnan(confidence) else f"<br>confidence {confidence:.2f}"
    said = "" if right else f"<br>as <b>{escape(prediction)}</b>"
    return (
        f'<figure class="{"right" if right else "wrong"}">{picture}'
        f'<span style="color:{CLASS_COLOURS[k]}">{CLASS_SIGNS[k]}</span> <b>{escape(label)}</b>{said}'
        f"{sure}"
        f"<br>{panel.split} {panel.indices[position]}</figure>"
    )


def images_html(
    panels: Sequence[Panel | None], selected: Sequence[tuple[int, int]], runs: Sequence[Run]
) -> tuple[str, list[str]]:
    """The first `MOST_IMAGES` selected examples as HTML, and the runs' splits that have no thumbnails.

    Args:
        panels: as drawn; selected: (number of the panel, position in it); runs: those of the panels.
    """
    by_name = {run.name: run for run in runs}
    shown = selected[:MOST_IMAGES]
    missing: list[str] = []
    figures: dict[tuple[int, int], str] = {}
    for number in dict.fromkeys(number for number, _ in shown):
        panel = panels[number]
        if panel is None:
            continue
        positions = [position for n, position in shown if n == number]
        run = by_name.get(panel.run)
        sprite = sprite_of(run, panel.split) if run else None
        if sprite is None:
            missing.append(f"{panel.run}, {panel.split}")
            uris: list[str | None] = [None] * len(positions)
        else:
            uris = data_uris(sprite, [int(panel.rows[position]) for position in positions])
        for position, uri in zip(positions, uris, strict=True):
            figures[number, position] = _figure(panel, position, uri)
    in_order = "".join(figures[example] for example in shown if example in figures)
    return f'<div class="pz-images">{in_order}</div>', missing


def tray(
    panels: Sequence[Panel | None], selected: Sequence[tuple[int, int]], runs: Sequence[Run], clear_key: str
) -> None:
    """Show the selected examples; nothing when none are.

    Args:
        panels, selected, runs: as for `images_html`.
        clear_key: session counter that is part of the chart's key; a new value forgets the selection.
    """
    if not selected:
        return

    def clear() -> None:
        st.session_state[clear_key] = st.session_state.get(clear_key, 0) + 1

    html, missing = images_html(panels, selected, runs)
    n = len(selected)
    word = "example" if n == 1 else "examples"
    capped = f"{MOST_IMAGES} of {n:,} selected examples" if n > MOST_IMAGES else f"{n} selected {word}"
    with st.container(key="tray", gap="small"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.html(f'<span class="pz-tray"><b>{capped}</b></span>', width="content")
            st.button("Clear", key="clear", on_click=clear, icon=":material/close:")
        st.html(html)
        if missing:
            st.caption(f"No thumbnails for {'; '.join(missing)}: `penviz extract` writes them.")
