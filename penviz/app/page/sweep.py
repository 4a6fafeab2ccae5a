"""The page of sweeps: every number against label smoothing, mean and interval over seeds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from html import escape

import streamlit as st

from penviz import InputError
from penviz.app.catalogue import Catalogue, Group, Opened, digest_of
from penviz.app.links import remember_runs
from penviz.app.run_selection import open_catalogue
from penviz.app.widgets.alpha_slider import alpha_slider, shipped_sweep
from penviz.app.widgets.charts import show_charts
from penviz.app.widgets.command_lines import command_lines
from penviz.app.widgets.controls import URL, choose_classes, choose_group, heading
from penviz.app.widgets.empty import show_damaged, show_too_few, show_warnings
from penviz.app.widgets.export import export_charts
from penviz.app.widgets.page_head import head_html, page_head
from penviz.app.widgets.share import share_figure
from penviz.figures.charts.sweep import DEFAULT, SPLITS, charts_of, digest
from penviz.projection.chart import Chart
from penviz.store.runs import Run, stored_path
from penviz.study.families import families
from penviz.study.sweep import SWEPT, SWEPT_BY_KEY, Swept, Values, sweep_finding
from penviz.study.sweep_comparison import swept

COLUMNS = 3
SHIPPED = "shipped sweep"
"""What the networks that come with penviz are called among those to choose."""
PATIENCE = 0.4
"""Seconds of reading before the page says how far it is."""

HINT = (
    "A point is one run; lines are means over seeds, bands their 95 % t-interval (three seeds or more). "
    "Solid lines: train; dashed: validation."
)
COMMAND = (
    "penviz sweep digits fc800 --epochs 20 --label-smoothing 0 --label-smoothing 0.05 --label-smoothing 0.1 "
    "--label-smoothing 0.2 --seed 0 --seed 1 --seed 2 --out runs/sweep\npenviz app --runs runs/sweep"
)


@dataclass(frozen=True)
class Choices:
    """What is drawn: keys of numbers, splits in their order, and rows of three classes."""

    numbers: list[str]
    splits: list[str]
    classes: tuple[int, int, int]


def show_sweep() -> None:
    """Draw the page for the runs of the runs directory."""
    if catalogue := open_catalogue():
        _page(catalogue, st.context.theme.type == "dark")


@st.fragment(key="sweep-page")
def _page(catalogue: Catalogue, dark: bool) -> None:
    """All that a control changes; a change reruns this and nothing else."""
    with st.sidebar:
        group = choose_group(catalogue.groups)
    if len(group.class_names) < 3:
        show_too_few(group.name)
        show_damaged(catalogue.damaged)
        return
    parts = families(group.runs)
    if shipped := shipped_sweep(group.class_names):
        parts |= {SHIPPED: shipped}
    with st.sidebar:
        chosen = _choose_families(parts, group.end)
        numbers, splits = _choose_numbers(), _choose_splits()
        choices = Choices(numbers, splits, choose_classes(group, range(len(group.class_names))))
    warnings: list[str] = []
    with st.container(key="sweep"):
        shown = {run.name: run for name in chosen for run in parts[name]}  # named as for a file of them
        drawn = families(list(shown.values()))
        several = {name: runs for name, runs in drawn.items() if len(_alphas(runs)) > 1}
        try:
            if several:
                _draw(group, several, choices, SHIPPED in chosen, dark, warnings)
            else:
                _nothing(drawn)
                alpha_slider(choices.classes if shipped else None, dark)
        except InputError as error:
            st.html(head_html("These runs cannot be drawn here."))
            warnings.insert(0, str(error))
        show_warnings(warnings)
        show_damaged(catalogue.damaged)
    remember_runs()


def _choose_families(parts: Mapping[str, Sequence[Run]], end: str) -> list[str]:
    """Which curves; asked only when there are several. A pair is no curve: the shipped sweep goes first."""
    names = list(parts)
    if len(names) < 2:
        return names
    heading("Networks")
    own = [name for name in names if name != SHIPPED and len(parts[name]) > 2]
    shipped = [SHIPPED] if SHIPPED in names else []
    return st.multiselect(
        "Networks",
        names,
        default=own[:3] or shipped or names[:3],
        key=f"families{end}",
        bind=URL,
        label_visibility="collapsed",
        placeholder="Choose networks",
    )


def _choose_numbers() -> list[str]:
    heading("Metrics")
    return st.multiselect(
        "Metrics",
        [number.key for number in SWEPT],
        default=list(DEFAULT),
        format_func=lambda key: SWEPT_BY_KEY[key].label,
        key="numbers",
        bind=URL,
        label_visibility="collapsed",
        placeholder="Choose metrics",
    )


def _choose_splits() -> list[str]:
    heading("Splits")
    chosen = st.pills(
        "Splits",
        SPLITS,
        selection_mode="multi",
        default=list(SPLITS),
        key="splits",
        bind=URL,
        label_visibility="collapsed",
    )
    return [split for split in SPLITS if split in chosen]


def _draw(
    group: Group,
    several: Mapping[str, Sequence[Run]],
    choices: Choices,
    slider: bool,
    dark: bool,
    warnings: list[str],
) -> None:
    """Finding, the slider where its networks are among them, charts, provenance."""
    classes = choices.classes
    digested = _digested(several, classes, warnings)
    if not digested:
        return
    first, runs = next(iter(digested.items()))
    finding = sweep_finding(runs, classes, True, first if len(digested) > 1 else "")
    charts = charts_of(digested, choices.numbers, choices.splits)
    options = asdict(choices) | {"classes": list(classes)}
    with page_head(finding.headline, finding.detail):
        if charts:
            names = {one.name for part in digested.values() for one in part}
            drawn = {run.name: run for part in several.values() for run in part if run.name in names}
            share_figure(list(drawn.values()), "sweep", options)
            export_charts([Opened(run, {}, {}) for run in drawn.values()], {"sweep": (options, charts)})
    if slider:
        alpha_slider(classes, dark)
    if charts:
        show_charts(charts, "sweep-chart", columns=min(COLUMNS, len(charts)))
        st.html(f'<p class="pz-note">{HINT}</p>{_meanings(charts, choices.numbers)}')
    else:
        st.html('<p class="pz-note">Choose a metric and a split at the left.</p>')
    st.html(f'<p class="pz-foot">{escape(_provenance(group, digested, classes))}</p>')


def _alphas(runs: Sequence[Run]) -> set[float | None]:
    return {run.config.label_smoothing for run in runs}


def _nothing(parts: Mapping[str, Sequence[Run]]) -> None:
    """No two runs differ in label smoothing alone: what would make some."""
    words = "Choose a network." if not parts else "No two of these runs differ in label smoothing alone."
    sentence = (
        "A sweep trains one run for each label smoothing and seed; on scikit-learn’s digits it takes about "
        "two minutes and needs no download:"
    )
    st.html(head_html(words, sentence))
    st.code(command_lines(COMMAND), language="bash", wrap_lines=True)


def _digested(
    parts: Mapping[str, Sequence[Run]], classes: tuple[int, int, int], warnings: list[str]
) -> dict[str, list[Swept]]:
    """The numbers of all runs, files side by side, with progress once it takes time."""
    runs = list({run.name: run for part in parts.values() for run in part}.values())
    place = st.empty()
    began = time.monotonic()
    values: dict[str, Values] = {}
    with ThreadPoolExecutor(max_workers=4) as pool:
        for number, (run, found) in enumerate(
            zip(runs, pool.map(lambda run: _numbers_or_advice(run, classes), runs), strict=True)
        ):
            if isinstance(found, str):
                warnings.append(f"{run.name}: {found}")
            else:
                values[run.name] = found
            if time.monotonic() - began > PATIENCE:
                place.progress((number + 1) / len(runs), f"Read {number + 1} of {len(runs)} runs")
    place.empty()
    digested = {
        name: [swept(run, values[run.name]) for run in part if run.name in values]
        for name, part in parts.items()
    }
    return {name: part for name, part in digested.items() if part}


def _numbers_or_advice(run: Run, classes: tuple[int, int, int]) -> Values | str:
    try:
        files = [stored_path(run.directory, split) for split in SPLITS if split in run.splits()]
        return _numbers("|".join([*map(digest_of, files), repr(run.config)]), classes, run)
    except (InputError, OSError) as error:
        return str(error)


@st.cache_resource(max_entries=2000, show_spinner=False)
def _numbers(digests: str, classes: tuple[int, int, int], _run: Run) -> Values:
    """All numbers of a run, keyed by its files and targets; the activations themselves are not kept."""
    return digest(_run, classes)


def _meanings(charts: Sequence[Chart], numbers: Sequence[str]) -> str:
    drawn = {chart.title for chart in charts}
    said = [SWEPT_BY_KEY[key] for key in numbers if SWEPT_BY_KEY[key].label in drawn]
    words = "; ".join(f"<b>{escape(number.label)}</b> {escape(number.meaning)}" for number in said)
    return f'<p class="pz-note">{words}.</p>'


def _provenance(group: Group, digested: Mapping[str, Sequence[Swept]], classes: tuple[int, int, int]) -> str:
    runs = [run for part in digested.values() for run in part]
    seeds = sorted({run.seed for run in runs})
    names = ", ".join(group.class_names[k] for k in classes)
    word = "seed" if len(seeds) == 1 else "seeds"
    return (
        f"{len(runs)} runs of {group.name}, {word} {', '.join(map(str, seeds))}; "
        f"metrics of the plane: {names}; all stored examples, errors included."
    )
