"""The way out of a film: a strip of epochs at a venue's width, or all of them as an animation."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from penviz import InputError
from penviz.app.catalogue import path_word
from penviz.app.widgets.export import FORMATS, show_preview
from penviz.figures import figure_runs, plane_figure, snapshot_animation
from penviz.figures.bundle import zip_bytes
from penviz.figures.plane_spec import Recipe, versions
from penviz.plot.paper.venues import VENUES
from penviz.plot.screen import Marks
from penviz.plot.snapshot_animation import common_epochs
from penviz.projection.snapshot_animation import Film
from penviz.store.runs import Run
from penviz.store.snapshots import splits_of

MOST_COLUMNS = 8
_GIF = "film-animation"


def export_film(
    runs: Sequence[Run], films: Sequence[Film], classes: Sequence[int], names: Sequence[str], marks: Marks
) -> None:
    """The button; what it opens is drawn only then.

    Args:
        runs: on the page; films: of them; classes: the three rows of the head; names: of all classes;
        marks: on the page.
    """
    icon = ":material/picture_as_pdf:"
    if st.button("Export film", type="primary", key="export-film", icon=icon, help="for a paper"):
        _dialog(runs, films, classes, names, marks)


def chosen_epochs(epochs: Sequence[int], n: int = 4) -> list[int]:
    """n of some epochs, evenly by their place: the first and the last among them."""
    last = len(epochs) - 1
    return [epochs[i] for i in sorted({round(k * last / (n - 1)) for k in range(n)})]


@st.cache_resource(max_entries=12, show_spinner=False)
def _drawn(text: str, format: str, _recipe: Recipe, _grids: list[plane_figure.Grid]) -> bytes:
    """One file, keyed by the text of its recipe, which names the runs by content."""
    return plane_figure.draw(_recipe, _grids, format)


@st.dialog("Export the film", width="large")
def _dialog(
    runs: Sequence[Run], films: Sequence[Film], classes: Sequence[int], names: Sequence[str], marks: Marks
) -> None:
    kept = common_epochs(films)
    left, middle, right = st.columns(3)
    venue = left.selectbox("Venue", list(VENUES), format_func=lambda k: VENUES[k].label, key="film-venue")
    format = middle.selectbox("Format", list(FORMATS), format_func=FORMATS.__getitem__, key="film-format")
    splits = right.pills(
        "Splits", ["train", "validation"], selection_mode="multi", default=["train"], key="film-splits"
    )
    epochs = st.multiselect(
        "Epochs, a column each",
        kept,
        chosen_epochs(kept),
        key="film-epochs",
        max_selections=MOST_COLUMNS,
    )
    if not epochs or not splits:
        st.caption("Choose an epoch and a split.")
        return

    def recipe_of(film: Sequence[int], shown: Sequence[str]) -> Recipe:
        found = [figure_runs.describe_run(run, path_word(run), splits_of(run), True) for run in runs]
        return Recipe(
            tuple(found),
            plane_figure.class_words(classes, names),
            splits=tuple(shown),
            venue=venue,
            film=tuple(sorted(film)),
            marks=marks,
            versions=versions(),
        )

    try:
        recipe = recipe_of(epochs, [s for s in ("train", "validation") if s in splits])
        grids = [snapshot_animation.strip(films, recipe.film, recipe.splits)]
        preview = _drawn(recipe.to_yaml(), "png", recipe, grids)
    except InputError as error:
        st.warning(str(error), icon=":material/warning:")
        return
    show_preview(preview, recipe.dpi)

    def pack() -> bytes:
        loaded = plane_figure.load_splits(recipe, runs)
        parts = plane_figure.build_parts(recipe, runs, loaded, grids)
        return zip_bytes(plane_figure.pack(recipe, grids, parts, [format], "film", runs=runs))

    with st.container(horizontal=True):
        st.download_button(
            f"Strip ({FORMATS[format]})",
            lambda: _drawn(recipe.to_yaml(), format, recipe, grids),
            f"film.{format}",
            on_click="ignore",
            type="primary",
            key="download-strip",
        )
        st.download_button("Bundle (.zip)", pack, "film.zip", on_click="ignore", key="download-film-bundle")
        st.download_button(
            "Recipe", recipe.to_yaml(), "film.yaml", on_click="ignore", key="download-film-recipe"
        )
        asked = st.button(f"Make the animation of {len(kept)} epochs (GIF)", key="make-gif")
    whole = recipe_of(kept, ["train", "validation"])
    made: tuple[str, bytes] | None = st.session_state.get(_GIF)
    if asked:
        bar = st.progress(0.0, "Drawing")
        pictures = [snapshot_animation.strip(films, whole.film, whole.splits)]

        def report(done: int, of: int) -> None:
            bar.progress(done / of, f"Drawing {done} of {of}")

        made = whole.to_yaml(), plane_figure.draw(whole, pictures, "gif", report=report)
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
    epochs_said = " ".join(map(str, recipe.film))
    st.caption(
        "The recipe makes the same bytes again: penviz figure --recipe film.yaml --out film.pdf. From "
        f"the runs: penviz figure RUN ... --film '{epochs_said}', or --film all --out film.gif."
    )
