"""The tour: five steps that move the real controls, each with an address of its own (`?tour=3`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape

import streamlit as st
from streamlit.navigation.page import Page

from penviz import InputError
from penviz.app.catalogue import Group, open_runs, shown_catalogue, study_of
from penviz.app.links import run_query
from penviz.app.state import CLASS_KEYS, default_classes, default_runs, in_order, presets
from penviz.plot.theme import CLASS_COLOURS

KEY, _APPLIED = "tour", "tour-applied"
"""The parameter of the link, and the step whose controls were moved last in this session."""

Move = Callable[[Group], None]
"""Sets controls of a group."""


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        page: where it is shown; headline, sentence: what it says; at: CSS of what it speaks of.
        move: the controls, where there are any to move.
    """

    page: str
    headline: str
    sentence: str
    at: str = ""
    move: Move | None = None


def _usual_classes(group: Group) -> None:
    rows = range(len(group.class_names))
    _choose(default_classes(presets(group.class_names, rows), rows), group.end)


def _most_tightened(group: Group) -> None:
    """The triple whose rho/d falls most from the first run to the last, on train where they have it."""
    names = st.session_state.get(f"runs{group.end}") or default_runs(group.runs)
    opened = open_runs([run for run in in_order(group.runs) if run.name in names])
    try:
        pair = study_of([opened[0], opened[-1]]).triples().pair
    except InputError:
        return
    first, second, third = pair.triples[pair.change.argmin()].tolist()
    _choose((first, second, third), group.end)


def _choose(classes: tuple[int, int, int], end: str) -> None:
    for key, k in zip(CLASS_KEYS, classes, strict=True):
        st.session_state[f"{key}{end}"] = k


def _errors(group: Group) -> None:
    st.session_state["errors"] = True


STEPS = (
    Step(
        "Clusters",
        "Three classes at a time",
        "Choose any three at the left. The plane goes through their templates, so the dashed lines are the "
        "network’s exact decision boundaries between them. Top row: hard targets; bottom row: smoothed.",
        ':is([class*="st-key-left"], [class*="st-key-right"], [class*="st-key-above"])',
        _usual_classes,
    ),
    Step(
        "Clusters",
        "Hollow marks are errors",
        "A hollow mark is an image that the network takes for another of the three classes, a cross for a "
        "fourth class. Point at one to see it in the other panels. The accuracy of both networks stands "
        "under the headline.",
        ".st-key-errors",
        _errors,
    ),
    Step(
        "Clusters",
        "Where smoothing acts most",
        "Of all triples, this one tightens most. The wall under the grid has the others, and the line under "
        "the headline says what is typical: one striking triple proves little.",
        '[class*="st-key-triple-0"]',
        _most_tightened,
    ),
    Step(
        "Calibration",
        "What it means for confidence",
        "On the diagonal, a network that is 80 % confident is correct in 80 % of the cases. Smoothing lowers "
        "confidence: that can help an over-confident network and harm one that was calibrated.",
        ".st-key-diagrams",
    ),
    Step(
        "Your model",
        "A model of your own",
        "Drop a checkpoint. penviz reads it without running what is in the file, checks it by its accuracy, "
        "and adds it to the grid.",
        ".st-key-model",
    ),
)


def start_tour() -> None:
    """The link to the first step."""
    if st.button("Take the tour", key="start-tour", type="tertiary", icon=":material/tour:"):
        _go(1)
        st.rerun()  # the whole page: a fragment alone would not draw the first step over it


def step_shown() -> int:
    """Which step the address asks for, 0 for none."""
    asked = st.query_params.get(KEY, "")
    return int(asked) if asked in map(str, range(1, len(STEPS) + 1)) else 0


def follow_tour(pages: Mapping[str, Page], current: str) -> None:
    """Go to the page of the step, move its controls, and say what is to be seen there."""
    number = step_shown()
    if not number:
        st.session_state.pop(_APPLIED, None)
        return
    step = STEPS[number - 1]
    if step.page != current:
        st.switch_page(pages[step.page], query_params=run_query() | {KEY: [str(number)]})
    if st.session_state.get(_APPLIED) != number:
        st.session_state[_APPLIED] = number
        _move(step)
    outline = f"<style>{step.at} {{ outline: 2px solid {CLASS_COLOURS[1]}; outline-offset: 4px; }}</style>"
    with st.container(key="tour", horizontal=True, vertical_alignment="center", gap="medium"):
        words = f"<b>{number} of {len(STEPS)}. {escape(step.headline)}.</b> {escape(step.sentence)}"
        st.html(f"<p>{words}</p>{outline if step.at else ''}")
        with st.container(key="tour-ways", horizontal=True, gap="small", width="content"):
            if number > 1:
                st.button("Back", key="tour-back", on_click=_go, args=(number - 1,), shortcut="Alt+Left")
            if number < len(STEPS):
                st.button(
                    "Next",
                    key="tour-next",
                    type="primary",
                    on_click=_go,
                    args=(number + 1,),
                    shortcut="Alt+Right",
                )
            end = "Skip" if number < len(STEPS) else "End the tour"
            st.button(end, key="tour-end", type="tertiary", on_click=_go, args=(0,), shortcut="Escape")


def _move(step: Step) -> None:
    groups = shown_catalogue().groups
    if step.move is None or not groups:
        return
    asked = st.query_params.get("of") or st.session_state.get("of")
    group = next((group for group in groups if group.name == asked), groups[0])
    if len(group.class_names) > 2:
        step.move(group)


def _go(number: int) -> None:
    if number:
        st.query_params[KEY] = str(number)
    elif KEY in st.query_params:
        del st.query_params[KEY]
