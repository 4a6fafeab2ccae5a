"""The sidebar: which runs, which classes, which scale, what to show, how many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Literal

import streamlit as st

from penviz.app.catalogue import Group
from penviz.app.state import (
    CLASS_KEYS,
    DEFAULT_PER_CLASS,
    LAYOUT_WORDS,
    MOST_DRAWN,
    OLD_SCALE_WORDS,
    SCALE_WORDS,
    State,
    default_classes,
    default_runs,
    distinct,
    in_order,
    presets,
    swap_classes,
    take_preset,
)
from penviz.plot.screen import Marks
from penviz.projection.views import PLANE, VIEWS
from penviz.store.runs import Run

URL: Literal["query-params"] = "query-params"
PILLS_UP_TO = 6
"""More runs than this go into a searchable list."""

_PLACES = (
    ("left", ":material/circle:"),
    ("right", ":material/square:"),
    ("above", ":material/change_history:"),
)


def heading(words: str) -> None:
    """A small heading, in the sidebar or on a page."""
    st.html(f'<div class="pz-head">{escape(words)}</div>')


def choose_group(groups: Sequence[Group]) -> Group:
    """Which list of classes; asked only when there are several."""
    if len(groups) == 1:
        return groups[0]
    heading("Dataset")
    names = [group.name for group in groups]
    if st.session_state.get("of") not in (None, *names):  # a group whose runs are gone
        del st.session_state["of"]
    name = st.selectbox("Dataset", names, key="of", bind=URL, label_visibility="collapsed")
    return groups[names.index(name)]


def choose_runs(group: Group) -> list[str]:
    """Names of the runs to show."""
    heading("Runs")
    names = [run.name for run in in_order(group.runs)]
    key = f"runs{group.end}"
    default = default_runs(group.runs)
    if any(name not in names for name in st.session_state.get(key) or ()):
        st.session_state[key] = [name for name in st.session_state[key] if name in names]
    if len(names) <= PILLS_UP_TO:
        return list(
            st.pills(
                "Runs",
                names,
                selection_mode="multi",
                default=default,
                key=key,
                bind=URL,
                label_visibility="collapsed",
            )
        )
    return st.multiselect(
        "Runs",
        names,
        default=default,
        key=key,
        bind=URL,
        label_visibility="collapsed",
        placeholder="Choose runs",
    )


def choose_classes(group: Group, rows: Sequence[int]) -> tuple[int, int, int]:
    """Three different classes out of some rows of the head: left, right, above."""
    heading("Classes")
    names = group.class_names
    left, right, above = CLASS_KEYS
    keys = (f"{left}{group.end}", f"{right}{group.end}", f"{above}{group.end}")
    preset_key, memory_key = f"preset{group.end}", f"triple{group.end}"
    triples = presets(names, rows)
    start = default_classes(triples, rows)
    for key in keys:  # a class that the runs chosen before had, and those chosen now do not hold
        if key in st.session_state and st.session_state[key] not in rows:
            del st.session_state[key]
    chosen = []
    for place, (word, icon) in enumerate(_PLACES):
        picked = st.selectbox(
            f"Class {word}",
            rows,
            index=list(rows).index(start[place]),
            format_func=lambda k: f"{names[k]} ({k})",
            key=keys[place],
            bind=URL,
            icon=icon,
            label_visibility="collapsed",
            on_change=swap_classes,
            args=(place, keys, preset_key, memory_key),
        )
        chosen.append(start[place] if picked is None else int(picked))
    if triples:
        st.selectbox(
            "Preset",
            list(triples),
            index=None,
            key=preset_key,
            placeholder="Triples of Müller et al.",
            label_visibility="collapsed",
            on_change=take_preset,
            args=(triples, keys, preset_key),
        )
    classes = distinct(chosen, rows)
    if list(classes) != chosen:
        st.caption("One class was chosen twice, so another takes its place.")
    if len(rows) < len(names):
        st.caption(f"Only {len(rows)} of {len(names)} classes were extracted: extract all to choose others.")
    st.session_state[memory_key] = classes
    return classes


def choose_marks(plane: bool = True) -> Marks:
    """What is drawn beside the points; most of it belongs to the template plane only.

    The browser shows and hides it: the server hears of a switch with the next change of something else.
    """
    plain = st.query_params.get("plain") == "1"  # a chart that the server draws anew for each switch

    def switch(label: str, key: str, on: bool = True, help: str | None = None, always: bool = False) -> bool:
        heard: Literal["rerun", "ignore"] = "rerun" if plain else "ignore"
        off = not (plane or always)
        return st.toggle(label, on, key=key, bind=URL, help=help, disabled=off, on_change=heard)

    heading("Show")
    return Marks(
        means=switch("class means (+)", "means", always=True),
        templates=switch("templates (◆)", "templates", False),
        boundaries=switch("decision boundaries", "boundaries"),
        optimum=switch("label-smoothing optimum (★)", "optimum"),
        shading=switch("shading (softmax of the three)", "shading"),
        errors=switch("mark misclassified (hollow, ×)", "errors", always=True),
        pull=switch(
            "loss gradient (→, q − p)",
            "pull",
            False,
            help=(
                "Arrows show where the loss, restricted to the three classes, moves an example of the "
                "class in whose region they are drawn. With smoothing the gradient is zero at the star; "
                "with hard targets it is zero nowhere. Arrow length is the fourth root of the gradient, "
                "which spans orders of magnitude."
            ),
        ),
    )


def choose_view() -> tuple[str, bool]:
    """The paper's plane or another view, and whether that is fitted on all classes."""
    heading("View")
    view = st.selectbox(
        "View",
        list(VIEWS),
        format_func=lambda name: VIEWS[name].label,
        key="view",
        bind=URL,
        label_visibility="collapsed",
        help="Only the template plane is the paper's projection.",
    )
    if view == PLANE:
        return view, False
    return view, st.toggle(
        "fit on all classes",
        False,
        key="all-classes",
        bind=URL,
        help=(
            "Fitted on the training examples of the three classes, or of all classes; validation "
            "examples are only placed on it."
        ),
    )


def choose_scale() -> tuple[str, bool]:
    """Scale of the axes, and whether the template holds the bias."""
    heading("Scale")
    scales = list(SCALE_WORDS)
    old = next((k for k, words in OLD_SCALE_WORDS.items() if st.query_params.get("scale") == words), None)
    if old:
        st.session_state["scale"] = old
    scale = st.segmented_control(
        "Scale",
        scales,
        format_func=SCALE_WORDS.__getitem__,
        default=scales[0],
        required=True,
        key="scale",
        bind=URL,
        label_visibility="collapsed",
        help="distance = 1: each run is divided by the mean distance between its class means on train, so "
        "that radii on screen are ρ/d. Free per run: feature units on axes of its own, as in the paper. "
        "Shared: feature units on the same axes.",
    )
    bias = st.toggle("bias in the template", True, key="bias", bind=URL)
    return scale or scales[0], bias


def choose_number(most: int) -> int:
    """Examples drawn a class, at most the `most` that are stored and `MOST_DRAWN`."""
    heading("Examples per class")
    most = min(most, MOST_DRAWN)
    if most <= 10:
        return most
    start = min(DEFAULT_PER_CLASS, most)
    step = 1 if most % 10 else 10
    held = st.session_state.get("n")  # of runs that were shown before and may store more
    if isinstance(held, int) and not step <= held <= most:
        st.session_state["n"] = most if held > most else step
    return st.slider(
        "Examples per class", step, most, start, step, key="n", bind=URL, label_visibility="collapsed"
    )


def choose_layout() -> str:
    """One strip, two columns, or whichever fits the window."""
    heading("Layout")
    layouts = list(LAYOUT_WORDS)
    layout = st.segmented_control(
        "Layout",
        layouts,
        format_func=LAYOUT_WORDS.__getitem__,
        default=layouts[0],
        required=True,
        key="layout",
        bind=URL,
        label_visibility="collapsed",
    )
    return layout or layouts[0]


def controls(group: Group, stored: Callable[[Sequence[Run]], tuple[int, Sequence[int]]]) -> State:
    """Draw the sidebar in the order of thought and read it; the group was chosen before.

    Args:
        group: of the runs.
        stored: examples a class that some runs store at most, and the classes that all of them hold.
    """
    wanted = choose_runs(group)
    runs = tuple(run for run in in_order(group.runs) if run.name in wanted)
    most, held = stored(runs)
    classes = choose_classes(group, held if len(held) >= 3 else range(len(group.class_names)))
    view, all_classes = choose_view()
    scale, bias = choose_scale()
    marks = choose_marks(view == PLANE)
    per_class = choose_number(most)
    layout = choose_layout()
    return State(group, runs, classes, scale, bias, marks, per_class, layout, view, all_classes)
