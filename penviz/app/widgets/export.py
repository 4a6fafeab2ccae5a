"""The way out to a paper: what is on screen at a venue's width, previewed by the renderer that writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from penviz import InputError
from penviz.app.catalogue import Opened, path_word, summaries_of
from penviz.app.state import State
from penviz.figures import charts
from penviz.figures.build import Figure, build, open_runs
from penviz.figures.bundle import zip_bytes
from penviz.figures.new_figure import class_words
from penviz.figures.spec import FigureSpec
from penviz.figures.spec_files import describe_run
from penviz.figures.spec_yaml import versions
from penviz.plot.paper.files import true_size
from penviz.plot.paper.venues import VENUES
from penviz.plot.screen import Marks
from penviz.plot.snapshot_animation import common_epochs
from penviz.projection.chart import Chart
from penviz.projection.embedding import KEPT_NUMBERS
from penviz.projection.snapshot_animation import Film
from penviz.projection.views import PLANE
from penviz.store.run_activations import notes
from penviz.store.runs import SPLITS, Run
from penviz.store.snapshots import splits_of
from penviz.study.study_run import StudyRun

FORMATS = {"pdf": "PDF", "svg": "SVG", "png": "PNG", "html": "HTML"}
LAYOUTS = {"strip": "one row of four", "grid": "a row a run"}
WIDTHS = {"text": "text width", "column": "column width", "own": "typed by hand"}
MARKS = {
    "means": "class means",
    "templates": "templates",
    "boundaries": "decision boundaries",
    "optimum": "label-smoothing optimum",
    "shading": "shading",
    "errors": "mark misclassified",
    "pull": "loss gradient",
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
FILM_SPLITS = ("train", "validation")
MOST_COLUMNS = 8
_GIF = "film-animation"

Made = tuple[Mapping[str, Any], tuple[Chart, ...]]
"""Options of a figure of charts, and its charts as they are on screen."""


@dataclass(frozen=True)
class Offer:
    """A figure on screen that can go into a paper.

    Attributes:
        spec: what is on screen; what only a paper has is as by default.
        build: a figure of the same runs from a spec that the dialog changed.
        epochs: of a film, those that can be drawn.
    """

    spec: FigureSpec
    build: Callable[[FigureSpec], Figure]
    epochs: Sequence[int] = ()


def export(state: State, opened: Sequence[Opened]) -> None:
    """The Export button of the grid; what it opens is drawn only then, for drawing takes a second."""
    _button(lambda: {"": offer_planes(state, opened)}, "export", "Export")


def export_charts(
    opened: Sequence[Opened], figures: Mapping[str, Made], *, key: str = "export", label: str = "Export"
) -> None:
    """The Export button of a page of charts.

    Args:
        opened: the runs drawn, in their order.
        figures: name in `charts.FIGURES` -> options and charts; a choice in the dialog where there are more.
        key, label: of the button, so that a page may have several.
    """
    runs = [one.run for one in opened]
    _button(lambda: {name: _offer_charts(runs, name, *made) for name, made in figures.items()}, key, label)


def export_film(
    runs: Sequence[Run], films: Sequence[Film], classes: Sequence[int], names: Sequence[str], marks: Marks
) -> None:
    """The button of a film.

    Args:
        runs: on the page; films: of them; classes: the three rows of the head; names: of all classes;
        marks: on the page.
    """

    def offers() -> dict[str, Offer]:
        return {"": _offer_film(runs, films, classes, names, marks)}

    _button(offers, "export-film", "Export film", "content")


def _button(
    offers: Callable[[], Mapping[str, Offer]],
    key: str,
    label: str,
    width: Literal["stretch", "content"] = "stretch",
) -> None:
    icon = ":material/picture_as_pdf:"
    if st.button(label, type="primary", key=key, icon=icon, width=width, help="for a paper"):
        _dialog(offers)


def offer_planes(state: State, opened: Sequence[Opened]) -> Offer:
    """What the grid shows."""
    named = [
        describe_run(one.run, path_word(one.run), [s for s in SPLITS if s in one.splits]) for one in opened
    ]
    spec = FigureSpec(
        tuple(named),
        class_words(state.classes, state.group.class_names),
        splits=tuple(s for s in SPLITS if any(s in one.splits for one in opened)),
        scale=state.scale,
        bias=state.bias,
        per_class=state.per_class,
        marks=state.marks,
        layout="strip" if len(opened) == 2 else "grid",
        corner=("rho_d",) if state.view == PLANE else (),
        view=state.view,
        all_classes=state.all_classes,
        versions=versions(),
    )
    return Offer(spec, lambda chosen: build(chosen, [_study_run(one) for one in opened]))


def _study_run(one: Opened) -> StudyRun:
    found = StudyRun(one.run, one.splits, tuple(notes(one.run, one.splits)))
    return found.with_statistics(summaries_of(one))


def _offer_charts(
    runs: Sequence[Run], name: str, options: Mapping[str, Any], made: tuple[Chart, ...]
) -> Offer:
    named = [describe_run(run, path_word(run), charts.files(name, run, options), figure=name) for run in runs]
    spec = FigureSpec(tuple(named), figure=name, options=options, versions=versions())
    return Offer(spec, lambda chosen: build(chosen, open_runs(chosen, runs), charts_made=made))


def _offer_film(
    runs: Sequence[Run], films: Sequence[Film], classes: Sequence[int], names: Sequence[str], marks: Marks
) -> Offer:
    kept = common_epochs(films)
    named = [describe_run(run, path_word(run), splits_of(run), film=True) for run in runs]
    spec = FigureSpec(
        tuple(named),
        class_words(classes, names),
        splits=("train",),
        film=tuple(chosen_epochs(kept)),
        marks=marks,
        versions=versions(),
    )
    key = repr(spec.runs)
    return Offer(spec, lambda chosen: build(chosen, _last_epochs(key, chosen, runs), films=films), kept)


@st.cache_resource(max_entries=4, show_spinner=False)
def _last_epochs(key: str, _spec: FigureSpec, _runs: Sequence[Run]) -> list[StudyRun]:
    """The runs of a film, keyed by the digests of their files."""
    return open_runs(_spec, _runs)


def chosen_epochs(epochs: Sequence[int], n: int = 4) -> list[int]:
    """n of some epochs, evenly by their place: the first and the last among them."""
    last = len(epochs) - 1
    return [epochs[i] for i in sorted({round(k * last / (n - 1)) for k in range(n)})]


@st.cache_resource(max_entries=20, show_spinner=False)
def _drawn(recipe: str, format: str, _figure: Figure) -> bytes:
    """One file of a figure, keyed by its recipe, which names all files by content."""
    return _figure.draw(format)


@st.dialog("Export for a paper", width="large")
def _dialog(offers: Callable[[], Mapping[str, Offer]]) -> None:
    """Choices, the figure as it will be written, and the files."""
    left, middle, right = st.columns(3)
    try:
        found = offers()
    except InputError as error:
        st.warning(str(error), icon=":material/warning:")
        return
    name = next(iter(found))
    if len(found) > 1:
        name = left.selectbox("Figure", list(found), key="paper-figure")
    offer = found[name]
    venue, width = _choose_place(left, middle)
    chosen = _choose(offer, left, right)
    format = middle.selectbox("Format", list(FORMATS), format_func=FORMATS.__getitem__, key="format")
    letters = right.toggle("panel letters", True, key="letters")
    if not offer.spec.figure and not offer.epochs:
        chosen["marks"] = _choose_marks(offer.spec.marks)
    if offer.epochs and not (chosen["film"] and chosen["splits"]):
        st.caption("Choose an epoch and a split.")
        return
    try:
        figure = offer.build(replace(offer.spec, venue=venue, width=width, letters=letters, **chosen))
        preview = _drawn(figure.recipe, "png", figure)
    except InputError as error:
        st.warning(str(error), icon=":material/warning:")
        return
    across, down, pixels = true_size(preview, figure.spec.dpi)
    st.image(preview, width=pixels, alt="The figure as it will be written.")
    st.caption(f"{across:.2f} × {down:.2f} inches, shown at this size.")
    _offer_files(figure, format)
    if offer.epochs:
        _offer_animation(offer)


def _choose_place(left: DeltaGenerator, middle: DeltaGenerator) -> tuple[str, str]:
    """Venue, and width as a spec says it; the two selects stand in the columns given."""
    venue = left.selectbox("Venue", list(VENUES), format_func=lambda k: VENUES[k].label, key="venue")
    width = middle.selectbox("Width", list(WIDTHS), format_func=WIDTHS.__getitem__, key="paper-width")
    if width == "own":
        width = middle.text_input("Width in in, mm, cm or pt", "5.5in", key="paper-own-width").strip()
    return venue, width


def _choose(offer: Offer, left: DeltaGenerator, right: DeltaGenerator) -> dict[str, Any]:
    """What a figure of this kind alone has: fields of a FigureSpec."""
    spec = offer.spec
    if spec.figure:
        wanted = right.selectbox(
            "Charts a row",
            [0, 1, 2, 3, 4],
            format_func=lambda n: str(n or "as many as fit"),
            key="chart-columns",
        )
        return {"columns": wanted or None}
    if offer.epochs:
        splits = right.pills(
            "Splits", FILM_SPLITS, selection_mode="multi", default=spec.splits, key="film-splits"
        )
        epochs = left.multiselect(
            "Epochs, a column each", offer.epochs, spec.film, key="film-epochs", max_selections=MOST_COLUMNS
        )
        return {"film": tuple(sorted(epochs)), "splits": tuple(s for s in FILM_SPLITS if s in splits)}
    layout = right.selectbox(
        "Layout",
        list(LAYOUTS),
        index=list(LAYOUTS).index(spec.layout),
        format_func=LAYOUTS.__getitem__,
        key="paper-layout",
    )
    plane = spec.view == PLANE
    corner = left.multiselect(
        "In the corner",
        list(CORNERS if plane else KEPT_NUMBERS),
        list(spec.corner),
        format_func=CORNERS.__getitem__,
        key="corner" if plane else "corner-view",
    )
    return {"layout": layout, "corner": tuple(corner)}


def _choose_marks(on_screen: Marks) -> Marks:
    shown = st.pills(
        "Beside the points: as on screen, unless chosen otherwise here",
        list(MARKS),
        selection_mode="multi",
        default=[name for name, shown in asdict(on_screen).items() if shown],
        format_func=MARKS.__getitem__,
        key="paper-marks",
    )
    return Marks(**{name: name in shown for name in MARKS})


def _offer_files(figure: Figure, format: str) -> None:
    """Three downloads: figure, bundle and recipe; the first two are made when they are asked for."""
    recipe, stem = figure.recipe, "film" if figure.spec.film else "figure"
    data = "series" if figure.spec.figure else "points, numbers"
    with st.container(horizontal=True):
        st.download_button(
            f"Figure ({FORMATS[format]})",
            lambda: _drawn(recipe, format, figure),
            f"{stem}.{format}",
            on_click="ignore",
            type="primary",
            key="download-figure",
        )
        st.download_button(
            f"Bundle: figure, {data}, caption (.zip)",
            lambda: zip_bytes(figure.bundle([format], stem)),
            f"{stem}.zip",
            on_click="ignore",
            key="download-bundle",
        )
        st.download_button("Recipe", recipe, f"{stem}.yaml", on_click="ignore", key="download-recipe")
    st.caption(f"The recipe makes the same bytes again: penviz figure --recipe {stem}.yaml --out {stem}.pdf")


def _offer_animation(offer: Offer) -> None:
    """All epochs of a film as a GIF, made when it is asked for."""
    asked = st.button(f"Make the animation of {len(offer.epochs)} epochs (GIF)", key="make-gif")
    whole = replace(offer.spec, film=tuple(offer.epochs), splits=FILM_SPLITS)
    made: tuple[str, bytes] | None = st.session_state.get(_GIF)
    if asked:
        bar = st.progress(0.0, "Drawing")

        def report(done: int, of: int) -> None:
            bar.progress(done / of, f"Drawing {done} of {of}")

        made = whole.to_yaml(), offer.build(whole).draw("gif", report=report)
        st.session_state[_GIF] = made
        bar.empty()
    if made is not None and made[0] == whole.to_yaml():
        st.download_button(
            f"Animation (GIF, {len(made[1]) / 1e6:.1f} MB)",
            made[1],
            "film.gif",
            on_click="ignore",
            type="primary",
            key="download-gif",
        )
    st.caption("From the runs: penviz figure RUN ... --film all --out film.gif.")
