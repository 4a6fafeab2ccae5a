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
    recipe: Annotated[Path | None, typer.Option(help="Make the figure of a recipe again.")] = None,
    charts: Annotated[
        str | None,
        typer.Option("--figure", help="reliability, risk-coverage, ...; template planes if not given."),
    ] = None,
    option: Annotated[list[str] | None, typer.Option(help="KEY=VALUE, of --figure; may be repeated.")] = None,
    columns: Annotated[int | None, typer.Option(help="Charts a row, of --figure.")] = None,
    classes: Annotated[
        tuple[str, str, str] | None,
        typer.Option(callback=not_options, help="Left, right, above; the first three when not given."),
    ] = None,
    film: Annotated[
        str | None,
        typer.Option(help="Epochs of runs with snapshots, such as '1 6 19 100': a column each; or all."),
    ] = None,
    row: Annotated[
        list[str] | None, typer.Option(help="'HARD SOFT: beaver dolphin otter'; may be repeated.")
    ] = None,
    split: Annotated[list[str] | None, typer.Option(help="Columns; train and validation.")] = None,
    venue: Annotated[str | None, typer.Option(help="neurips (the default), icml, cvpr, ...")] = None,
    width: Annotated[str | None, typer.Option(help="text, column, or a width such as 5.5in.")] = None,
    layout: Annotated[str | None, typer.Option(help="grid (the default), strip or figure1.")] = None,
    per_class: Annotated[int | None, typer.Option(help="Examples drawn a class; 250.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the sample drawn; 0.")] = None,
    scale: Annotated[str | None, typer.Option(help="distance (the default), own or same.")] = None,
    bias: Annotated[bool | None, typer.Option(help="The template holds the bias; it does.")] = None,
    show: Annotated[
        list[str] | None, typer.Option(help="means, templates, boundaries, optimum, shading, errors, pull.")
    ] = None,
    hide: Annotated[
        list[str] | None, typer.Option(help="The same words, or all; all but templates and pull show.")
    ] = None,
    view: Annotated[
        str | None, typer.Option(help="plane (the default), pca, lda, umap or span (span + PCA).")
    ] = None,
    all_classes: Annotated[
        bool | None, typer.Option(help="Fit such a view on all classes; on the three.")
    ] = None,
    letters: Annotated[bool | None, typer.Option(help="(a), (b), ... over the panels; they are.")] = None,
    corner: Annotated[
        list[str] | None,
        typer.Option(help="Numbers in the corner; rho_d if not given; none for none. May be repeated."),
    ] = None,
    dpi: Annotated[int | None, typer.Option(help="Of a PNG and of rasterised points; 300.")] = None,
    svg_text: Annotated[str | None, typer.Option(help="text (can be edited) or path.")] = None,
    font: Annotated[
        Path | None, typer.Option(help="A .ttf or .otf in place of the faces that come with matplotlib.")
    ] = None,
    bold_best: Annotated[
        bool | None, typer.Option(help="Best validation accuracy, NLL and ECE bold in the table; not.")
    ] = None,
    format: Annotated[
        list[str] | None, typer.Option(help="Of the figures in the bundle; that of --out, else pdf.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="paper: as in Figure 1 of Müller et al. 2019; other options win.")
    ] = None,
    font_size: Annotated[float | None, typer.Option(help="Points, of heads and legend.")] = None,
    colour: Annotated[
        list[str] | None, typer.Option(help="#0072B2, of a class; give three, in the order of the classes.")
    ] = None,
    row_title: Annotated[list[str] | None, typer.Option(help="A title for each row; repeat it.")] = None,
    column_title: Annotated[
        list[str] | None, typer.Option(help="A title for each column; repeat it.")
    ] = None,
    group_title: Annotated[
        list[str] | None, typer.Option(help="A title over each group of columns, of strip and figure1.")
    ] = None,
    by_split: Annotated[
        bool | None, typer.Option("--by-split", help="Put panels of one split together: a row a split.")
    ] = None,
    legend: Annotated[str | None, typer.Option(help="auto, below, right or none. [default: auto]")] = None,
    over_seeds: Annotated[
        bool | None,
        typer.Option(
            "--over-seeds", help="Draw one seed of each setting; numbers are means over all, ± 95 %."
        ),
    ] = None,
    save_recipe: Annotated[Path | None, typer.Option(help="Write the recipe here.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="A new directory, or a .zip, for all files.")] = None,
    runs_dir: Annotated[Path, typer.Option(help="Where the runs of a recipe lie.")] = Path("."),
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
