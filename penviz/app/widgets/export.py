"""The way out to a paper: what is on screen at a venue's width, previewed by the renderer that writes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from penviz import InputError
from penviz.app.catalogue import Opened, path_word, summaries_of
from penviz.app.state import State
from penviz.figures import figure_runs, plane_figure
from penviz.figures.bundle import zip_bytes
from penviz.figures.plane_spec import Recipe, versions
from penviz.plot.paper.files import true_size
from penviz.plot.paper.venues import VENUES
from penviz.plot.screen import Marks
from penviz.projection.embedding import KEPT_NUMBERS
from penviz.projection.views import PLANE
from penviz.store.runs import SPLITS

FORMATS = {"pdf": "PDF", "svg": "SVG", "png": "PNG", "html": "HTML"}
LAYOUTS = {"strip": "one row of four", "grid": "a row a run"}
WIDTHS = {"text": "text width", "column": "column width", "own": "typed by hand"}
MARKS = {
    "means": "class means",
    "templates": "templates",
    "boundaries": "decision boundaries",
    "optimum": "label-smoothing optimum",
    "shading": "shading",
    "errors": "errors apart",
    "pull": "pull of the loss",
}
CORNERS = {
    "rho_d": "radius / distance",
    "rho": "radius",
    "distance": "distance",
    "accuracy": "accuracy (all classes)",
    "ece": "ECE (all classes)",
    "plane_share": "variance in plane",
    "off_plane": "distance off the plane",
    "n": "examples",
}


def export(state: State, opened: Sequence[Opened]) -> None:
    """The button; what it opens is drawn only then, because drawing for paper takes a second."""
    icon = ":material/picture_as_pdf:"
    if st.button("Export", type="primary", key="export", icon=icon, width="stretch", help="for a paper"):
        _dialog(state, opened)


def recipe_of(state: State, opened: Sequence[Opened], **choices: object) -> Recipe:
    """The recipe of what is on screen.

    Args:
        state: of the page; opened: its runs; choices: the fields of a Recipe that only a paper has.
    """
    runs = []
    for one in opened:
        shown = [s for s in SPLITS if s in one.splits]
        runs.append(figure_runs.describe_run(one.run, path_word(one.run), shown))
    return Recipe(
        tuple(runs),
        plane_figure.class_words(state.classes, state.group.class_names),
        splits=tuple(s for s in SPLITS if any(s in one.splits for one in opened)),
        scale=state.scale,
        bias=state.bias,
        per_class=state.per_class,
        view=state.view,
        all_classes=state.all_classes,
        versions=versions(),
        **({"marks": state.marks} | choices),  # type: ignore[arg-type]
    )


@st.cache_resource(max_entries=20, show_spinner=False)
def _drawn(text: str, format: str, _recipe: Recipe, _grids: list[plane_figure.Grid]) -> bytes:
    """One file of the figure, keyed by the text of its recipe, which names the runs by content."""
    return plane_figure.draw(_recipe, _grids, format)


@st.dialog("Export for a paper", width="large")
def _dialog(state: State, opened: Sequence[Opened]) -> None:
    """Choices, the figure as it will be written, and the files."""
    left, middle, right = st.columns(3)
    venue, width = choose_place(left, middle)
    start = 0 if len(opened) == 2 else 1
    layout = right.selectbox(
        "Layout", list(LAYOUTS), index=start, format_func=LAYOUTS.__getitem__, key="paper-layout"
    )
    plane = state.view == PLANE
    corners, first = (list(CORNERS), ["rho_d"]) if plane else (list(KEPT_NUMBERS), [])
    corner_key = "corner" if plane else "corner-view"
    corner = left.multiselect(
        "In the corner", corners, first, format_func=CORNERS.__getitem__, key=corner_key
    )
    format = middle.selectbox("Format", list(FORMATS), format_func=FORMATS.__getitem__, key="format")
    letters = right.toggle("panel letters", True, key="letters")
    on_screen = [name for name, shown in asdict(state.marks).items() if shown]
    shown = st.pills(
        "Beside the points: as on screen, unless chosen otherwise here",
        list(MARKS),
        selection_mode="multi",
        default=on_screen,
        format_func=MARKS.__getitem__,
        key="paper-marks",
    )
    try:
        recipe = recipe_of(
            state,
            opened,
            venue=venue,
            width=width,
            layout=layout,
            corner=tuple(corner),
            letters=letters,
            marks=Marks(**{name: name in shown for name in MARKS}),
        )
        summaries = [summaries_of(one) for one in opened]
        loaded = [one.splits for one in opened]
        runs = [one.run for one in opened]
        grids = plane_figure.build_panels(recipe, runs, loaded, summaries)
        preview = _drawn(recipe.to_yaml(), "png", recipe, grids)
    except InputError as error:
        st.warning(str(error), icon=":material/warning:")
        return

    def pack() -> bytes:
        parts = plane_figure.build_parts(recipe, runs, loaded, grids, summaries)
        return zip_bytes(plane_figure.pack(recipe, grids, parts, [format], "figure", runs=runs))

    show_preview(preview, recipe.dpi)
    offer_files(
        format,
        lambda: _drawn(recipe.to_yaml(), format, recipe, grids),
        pack,
        recipe.to_yaml(),
        "Bundle: figure, points, numbers, caption (.zip)",
    )


def choose_place(left: DeltaGenerator, middle: DeltaGenerator) -> tuple[str, str]:
    """Venue, and width as a recipe says it; the two selects stand in the columns given."""
    venue = left.selectbox("Venue", list(VENUES), format_func=lambda k: VENUES[k].label, key="venue")
    width = middle.selectbox("Width", list(WIDTHS), format_func=WIDTHS.__getitem__, key="paper-width")
    if width == "own":
        width = middle.text_input("Width in in, mm, cm or pt", "5.5in", key="paper-own-width").strip()
    return venue, width


def show_preview(png: bytes, dpi: int) -> None:
    """The figure at its true size on a screen of 96 pixels an inch."""
    across, down, pixels = true_size(png, dpi)
    st.image(png, width=pixels, alt="The figure as it will be written.")
    st.caption(f"{across:.2f} × {down:.2f} inches, shown at this size.")


def offer_files(
    format: str, draw: Callable[[], bytes], pack: Callable[[], bytes], recipe: str, bundle: str
) -> None:
    """Three downloads: the figure, the bundle and the recipe; the first two are made when they are asked for.

    Args:
        format: of the figure; recipe: its text; bundle: what the button of the bundle says.
    """
    with st.container(horizontal=True):
        st.download_button(
            f"Figure ({FORMATS[format]})",
            draw,
            f"figure.{format}",
            on_click="ignore",
            type="primary",
            key="download-figure",
        )
        st.download_button(bundle, pack, "figure.zip", on_click="ignore", key="download-bundle")
        st.download_button("Recipe", recipe, "figure.yaml", on_click="ignore", key="download-recipe")
    st.caption("The recipe makes the same bytes again: penviz figure --recipe figure.yaml --out figure.pdf")
