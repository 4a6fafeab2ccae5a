"""The page "Targets": what an alpha means in each of its conventions, as a picture and in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from penviz.app.links import remember_runs
from penviz.app.pages.clusters import CONFIG
from penviz.app.style import style_sheet
from penviz.app.widgets.command_lines import NARROW, command_lines
from penviz.app.widgets.controls import URL, heading
from penviz.metrics.target_vectors import Targets, weights
from penviz.plot.chart_screen import chart_figure
from penviz.study.target_facts import NAMES, SHOWN, WHERE, TargetFacts, comparison, number, target_chart

MOST_CLASSES = 1000


def show_targets() -> None:
    """Draw the page; it stands on no runs."""
    dark = st.context.theme.type == "dark"
    st.html(style_sheet(dark))
    st.fragment(_page, key="targets-page")(dark)


def _page(dark: bool) -> None:
    """All that a control changes; a change reruns this and nothing else."""
    with st.sidebar:
        targets, n_classes, own, wrong = _controls()
    facts = TargetFacts.of(targets, n_classes, own)
    with st.container(key="targets"):
        st.html(
            f'<h1 class="pz-finding">{escape(facts.headline)}.</h1>'
            f'<p class="pz-detail">{escape(facts.detail)}</p>'
        )
        if wrong:
            st.warning(wrong, icon=":material/warning:")
        picture, numbers = st.columns([3, 2], gap="large")
        with picture:
            st.plotly_chart(
                chart_figure([target_chart(targets, n_classes, own)], dark=dark, height=340),
                theme=None,
                config=CONFIG,
                key="targets-chart",
                alt=f"Bar chart. {facts.headline}. {facts.detail}",
            )
        with numbers:
            st.html(f'<p class="pz-note">{escape(WHERE[targets.kind])}</p>{_facts(facts)}')
            if facts.command:
                st.code(command_lines(facts.command, NARROW), language="bash", wrap_lines=True)
        alpha = targets.label_smoothing or 0.0
        if alpha:
            st.html(_table(comparison(alpha, n_classes, targets.prior, own), targets.kind))
    remember_runs()


def _controls() -> tuple[Targets, int, int, str]:
    """The sidebar: K, kind, alpha, true class, prior; and a sentence where the prior is no prior."""
    heading("Kind of targets")
    kind = st.selectbox(
        "Kind of targets",
        SHOWN,
        format_func=NAMES.__getitem__,
        key="kind",
        bind=URL,
        label_visibility="collapsed",
    )
    alpha = 0.0
    if kind != "hard":
        alpha = st.slider("alpha", 0.01, 0.99, 0.1, 0.01, key="alpha", bind=URL)
    n_classes = int(st.number_input("Classes, K", 2, MOST_CLASSES, 10, key="k", bind=URL))
    if "true" in st.session_state and not 0 <= st.session_state["true"] < n_classes:
        st.session_state["true"] = n_classes - 1
    own = int(st.number_input("True class", 0, n_classes - 1, 0, key="true", bind=URL))
    prior: tuple[float, ...] = ()
    wrong = ""
    if kind == "prior":
        text = st.text_input(
            "Prior u(k)",
            key="prior",
            bind=URL,
            placeholder="1/k for the k-th class",
            help="A number a class, with commas between; they are divided by their sum.",
        )
        prior, wrong = _prior(text or "", n_classes)
    return Targets(kind, alpha, prior), n_classes, own, wrong


def _prior(text: str, n_classes: int) -> tuple[tuple[float, ...], str]:
    """What was typed as a prior, or the one that stands in for it with a sentence that says why."""
    stands_in = weights([1 / (k + 1) for k in range(n_classes)])
    if not text.strip():
        return stands_in, ""
    try:
        return weights([float(word) for word in text.split(",")], n_classes), ""
    except ValueError:
        return stands_in, (
            f"A prior has {n_classes} numbers of at least 0 with commas between, not all of them 0: "
            "1/k stands in."
        )


def _facts(facts: TargetFacts) -> str:
    rows = {
        "true class": number(facts.true),
        "each other class": facts.others,
        "sum": number(facts.total),
        "least loss": f"{number(facts.least)} nats",
        "logit gap at the optimum": f"{number(facts.gap)} nats",
    }
    return _list(rows | ({"the same as": facts.same_as} if facts.same_as else {}))


def _list(rows: dict[str, str]) -> str:
    said = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in rows.items())
    return f'<dl class="pz-facts">{said}</dl>'


def _table(every: Sequence[TargetFacts], kind: str) -> str:
    """The same alpha in every convention; the chosen one stands out."""
    alpha = every[0].targets.label_smoothing or 0.0
    heads = (f"alpha = {alpha:g}", "true class", "each other", "sum", "optimal gap, nats", "same vector as")
    head = "".join(f"<th>{word}</th>" for word in heads)
    body = []
    for facts in every:
        best = ' class="pz-best"' if facts.targets.kind == kind else ""
        cells = [number(facts.true), facts.others, number(facts.total), number(facts.gap)]
        same = facts.same_as or ("refused: no distribution" if facts.refusal else "–")
        words = [NAMES[facts.targets.kind], *cells, same]
        body.append(f"<tr{best}>{''.join(f'<td>{escape(word)}</td>' for word in words)}</tr>")
    rows = f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody>"
    return f'<div class="pz-scroll"><table class="pz-table pz-words-last">{rows}</table></div>'
