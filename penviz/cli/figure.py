"""`penviz figure`: a figure for a paper, and all that is needed to make it again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from penviz import InputError
from penviz.cli.options import not_options
from penviz.exit_codes import say


def figure(
    runs: Annotated[list[Path] | None, typer.Argument(help="Directories of runs with activations.")] = None,
    out: Annotated[Path | None, typer.Option(help="A .pdf, .svg, .png, .html or .tex (TikZ).")] = None,
    recipe: Annotated[Path | None, typer.Option(help="Make the figure of this recipe again.")] = None,
    charts: Annotated[
        str | None,
        typer.Option(
            "--figure", help="Charts: reliability, risk-coverage, sweep, ...", show_default="template planes"
        ),
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="An option of --figure as KEY=VALUE; repeat it for more.")
    ] = None,
    columns: Annotated[
        int | None, typer.Option(help="Charts per row of --figure.", show_default="as many as fit")
    ] = None,
    classes: Annotated[
        tuple[str, str, str] | None,
        typer.Option(
            callback=not_options, help="Three classes: left, right, above.", show_default="the first three"
        ),
    ] = None,
    film: Annotated[
        str | None,
        typer.Option(help="Draw these epochs of runs with snapshots, a column each: '1 6 19 100', or all."),
    ] = None,
    row: Annotated[
        list[str] | None,
        typer.Option(help="A row of its own: 'HARD SOFT: beaver dolphin otter'; repeat it for more."),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(help="A column; repeat it for more.", show_default="train, and what runs are judged on"),
    ] = None,
    venue: Annotated[
        str | None, typer.Option(help="neurips, icml, cvpr, ...", show_default="neurips")
    ] = None,
    width: Annotated[
        str | None, typer.Option(help="text, column, or a width such as 5.5in.", show_default="text")
    ] = None,
    layout: Annotated[str | None, typer.Option(help="grid, strip or figure1.", show_default="grid")] = None,
    per_class: Annotated[
        int | None, typer.Option(help="Examples drawn per class.", show_default="250")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the sample that is drawn.", show_default="0")
    ] = None,
    scale: Annotated[str | None, typer.Option(help="distance, own or same.", show_default="distance")] = None,
    bias: Annotated[
        bool | None, typer.Option(help="Whether a template includes the bias.", show_default="bias")
    ] = None,
    show: Annotated[
        list[str] | None,
        typer.Option(help="Show means, templates, boundaries, optimum, shading, errors or pull."),
    ] = None,
    hide: Annotated[
        list[str] | None,
        typer.Option(help="Hide one of these, or all.", show_default="templates and pull are hidden"),
    ] = None,
    view: Annotated[
        str | None, typer.Option(help="plane, pca, lda, umap or span (span + PCA).", show_default="plane")
    ] = None,
    all_classes: Annotated[
        bool | None,
        typer.Option(help="Fit another view than the plane on all classes.", show_default="no-all-classes"),
    ] = None,
    letters: Annotated[
        bool | None, typer.Option(help="Write (a), (b), ... over the panels.", show_default="letters")
    ] = None,
    corner: Annotated[
        list[str] | None,
        typer.Option(help="A number in the corner, or none; repeat it for more.", show_default="rho_d"),
    ] = None,
    dpi: Annotated[
        int | None, typer.Option(help="Dots per inch of a PNG and of rasterised points.", show_default="300")
    ] = None,
    svg_text: Annotated[
        str | None, typer.Option(help="text (can be edited) or path.", show_default="text")
    ] = None,
    font: Annotated[
        Path | None,
        typer.Option(help="A .ttf or .otf file to use in place of the fonts that come with matplotlib."),
    ] = None,
    bold_best: Annotated[
        bool | None,
        typer.Option(
            help="Set the best validation accuracy, NLL and ECE bold in the table.",
            show_default="no-bold-best",
        ),
    ] = None,
    format: Annotated[
        list[str] | None,
        typer.Option(
            help="Format of the figure in the bundle; repeat it for more.",
            show_default="that of --out, or pdf",
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="paper: the look of Figure 1 of Müller et al. 2019. Other options override it."),
    ] = None,
    font_size: Annotated[float | None, typer.Option(help="Size of heads and legend in points.")] = None,
    colour: Annotated[
        list[str] | None,
        typer.Option(help="Colour of a class, such as #0072B2; give three, in the order of the classes."),
    ] = None,
    row_title: Annotated[list[str] | None, typer.Option(help="Title of a row; give one for each.")] = None,
    column_title: Annotated[
        list[str] | None, typer.Option(help="Title of a column; give one for each.")
    ] = None,
    group_title: Annotated[
        list[str] | None,
        typer.Option(help="Title of a group of columns, in strip and figure1; give one for each."),
    ] = None,
    by_split: Annotated[
        bool | None, typer.Option("--by-split", help="Put the panels of one split together, a row per split.")
    ] = None,
    legend: Annotated[
        str | None, typer.Option(help="auto, below, right or none.", show_default="auto")
    ] = None,
    over_seeds: Annotated[
        bool | None,
        typer.Option(
            "--over-seeds",
            help="Draw one seed of each setting; numbers are means over all seeds, with 95 % intervals.",
        ),
    ] = None,
    save_recipe: Annotated[Path | None, typer.Option(help="Write the recipe to this file.")] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(help="Write figure, data, caption and recipe to this new directory or .zip."),
    ] = None,
    runs_dir: Annotated[Path, typer.Option(help="Directory that the paths in a recipe start from.")] = Path(
        "."
    ),
) -> None:
    """Draw a figure for a paper, and all that is needed to make it again."""
    from penviz.figures.build import open_recipe
    from penviz.figures.charts import of_splits
    from penviz.figures.destination import Destination
    from penviz.figures.new_figure import film_epochs, new_figure, options_of

    options = options_of(option or [])
    if charts is not None:  # both are options of a figure of charts
        options |= of_splits(charts, split) if split else {}
        options |= {"seed": seed} if seed is not None else {}
        split = seed = None
    choices = {
        "figure": charts,
        "options": options or None,
        "classes": classes,
        "rows": row,
        "splits": split,
        "venue": venue,
        "width": width,
        "layout": layout or ("figure1" if row else None),
        "per_class": per_class,
        "seed": seed,
        "scale": scale,
        "bias": bias,
        "view": view,
        "all_classes": all_classes,
        "letters": letters,
        "dpi": dpi,
        "text": svg_text,
        "font": font,
        "bold_best": bold_best,
        "columns": columns,
        "over_seeds": over_seeds,
        "film": film,
        "show": show,
        "hide": hide,
        "corner": corner,
        "preset": preset,
        "font_size": font_size,
        "colours": colour,
        "row_titles": row_title,
        "column_titles": column_title,
        "group_titles": group_title,
        "by_split": by_split,
        "legend": legend,
    }
    given: dict[str, Any] = {key: value for key, value in choices.items() if value is not None}
    destination = Destination(out, format or [], save_recipe, bundle)
    if recipe is None:
        if film is not None:
            given["film"] = film_epochs(film, runs or [])
        made, place = new_figure(runs or [], given, say), Path()
    elif runs or given:
        what = ", ".join([*(["runs"] if runs else []), *given]).replace("_", "-")
        raise InputError(f"A recipe decides all of a figure: leave out {what}, or edit the recipe.")
    else:
        made, place = open_recipe(recipe, runs_dir, say), runs_dir
    for path in destination.write(made, place):
        say(f"Wrote {path}")
