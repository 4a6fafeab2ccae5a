"""A recipe brought back into the page: every control takes the value that the recipe says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields

import streamlit as st

from penviz import InputError
from penviz.app.catalogue import Group, runs_directory
from penviz.app.state import CLASS_KEYS
from penviz.app.widgets.export import LAYOUTS, WIDTHS
from penviz.figures.spec import FigureSpec
from penviz.figures.spec_files import find_runs
from penviz.figures.spec_yaml import RecipeError
from penviz.plot.paper.style import FigureStyle
from penviz.projection.projection import class_indices
from penviz.projection.views import PLANE

UPLOAD, REFUSED = "recipe-file", "recipe-refused"
MOST_MEGABYTES = 1

NOT_ON_PAGE = ("figure", "film", "rows", "splits", "seed", "dpi", "text", "font", "bold_best", "over_seeds")
"""Choices of a recipe that the page has no control for; a recipe that makes one is not shown as another."""


def offer_recipe(groups: Sequence[Group]) -> None:
    """A place to drop a recipe, and why the last one was refused."""
    st.file_uploader(
        "Open a recipe",
        ["yaml", "yml"],
        key=UPLOAD,
        on_change=_take,
        args=(groups,),
        max_upload_size=MOST_MEGABYTES,
    )
    if st.session_state.get(REFUSED):
        st.warning(st.session_state[REFUSED])


def controls_of(recipe: FigureSpec, groups: Sequence[Group]) -> dict[str, object]:
    """What the session's controls must hold to show a recipe: key -> value.

    Raises:
        InputError: runs that are missing or have changed, or a figure that the page cannot show.
    """
    usual = {f.name: f.default for f in fields(FigureSpec)}
    more = recipe.layout not in LAYOUTS or recipe.style != FigureStyle()
    if more or any(getattr(recipe, key) != usual[key] for key in NOT_ON_PAGE):
        raise RecipeError("A page cannot show this figure: make it with penviz figure --recipe.")
    known = {run.name: run.directory for group in groups for run in group.runs}
    find_runs(recipe, runs_directory(), follow_paths=False, known=known)
    names = [run.name for run in recipe.runs]
    group = next((g for g in groups if set(names) <= {run.name for run in g.runs}), None)
    if group is None:
        raise RecipeError("The runs of this recipe do not share a list of classes here.")
    by_hand = recipe.width not in (None, *WIDTHS)
    triple = class_indices(recipe.classes, group.class_names)
    return {
        **({"of": group.name} if group.end else {}),
        f"runs{group.end}": names,
        **{f"{key}{group.end}": k for key, k in zip(CLASS_KEYS, triple, strict=True)},
        "scale": recipe.scale,
        "bias": recipe.bias,
        "n": recipe.per_class,
        **asdict(recipe.marks),
        "venue": recipe.venue,
        "paper-width": "own" if by_hand else recipe.width or "text",
        **({"paper-own-width": recipe.width} if by_hand else {}),
        "paper-layout": recipe.layout,
        "view": recipe.view,
        "all-classes": recipe.all_classes,
        "corner" if recipe.view == PLANE else "corner-view": list(recipe.corner),
        "letters": recipe.letters,
    }


def _take(groups: Sequence[Group]) -> None:
    file = st.session_state.get(UPLOAD)
    st.session_state[REFUSED] = ""
    if file is None:
        return
    try:
        recipe = FigureSpec.from_yaml(file.getvalue().decode("utf-8", "replace"))
        wanted = controls_of(recipe, groups)
    except InputError as error:
        st.session_state[REFUSED] = str(error)
        return
    for key, value in wanted.items():
        st.session_state[key] = value
