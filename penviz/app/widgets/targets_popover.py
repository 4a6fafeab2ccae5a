"""Hard and soft targets in a popover: one target vector as a chart, and every convention of alpha."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from penviz.app.style import SCROLLER
from penviz.app.widgets.charts import show_charts
from penviz.app.widgets.command_lines import WIDE, command_lines
from penviz.app.widgets.controls import URL
from penviz.app.widgets.page_head import STILL
from penviz.metrics.target_vectors import Targets, weights
from penviz.study.target_facts import NAMES, SHOWN, WHERE, TargetFacts, comparison, number, target_chart

MOST_CLASSES = 1000
KEY, OPEN = "targets", "open"
"""The popover's key in the session and in a link, and what a link says for it to stand open."""


def targets_popover(n_classes: int, alpha: float) -> None:
    """The button; what it opens is drawn only then.

    Args:
        n_classes: K of the runs on the page; alpha: their label smoothing, the first that is above 0.
    """
    if st.query_params.get(KEY) == OPEN and KEY not in st.session_state:
        st.session_state[KEY] = True
    popover = st.popover("Targets", key=KEY, on_change="rerun", type="tertiary", icon=":material/bar_chart:")
    if popover.open:
        with popover, st.container(key="targets-body", width=760):
            _draw(n_classes, alpha)
    elif KEY in st.query_params:
        del st.query_params[KEY]


def _draw(k: int, alpha: float) -> None:
    targets, n_classes, own, wrong = _controls(k, alpha)
    facts = TargetFacts.of(targets, n_classes, own)
    st.html(f'<p class="pz-note"><b>{escape(facts.headline)}.</b> {escape(facts.detail)}</p>')
    if wrong:
        st.warning(wrong, icon=":material/warning:")
    chart = target_chart(targets, n_classes, own)
    show_charts([chart], "targets-chart", config=STILL, said=f"{facts.headline}. {facts.detail}", height=250)
    st.html(f'<p class="pz-note">{escape(WHERE[targets.kind])} Minimum loss: {number(facts.least)} nats.</p>')
    if smoothing := targets.label_smoothing or 0.0:
        st.html(_table(comparison(smoothing, n_classes, targets.prior, own), targets.kind))
    if facts.command:
        st.code(command_lines(facts.command, WIDE), language="bash", wrap_lines=True)


def _controls(k: int, alpha: float) -> tuple[Targets, int, int, str]:
    """Kind, alpha, K, true class, prior; and a sentence where the prior is no prior."""
    first, second, third, fourth = st.columns([5, 4, 2, 2])
    kind = first.selectbox("Kind of targets", SHOWN, format_func=NAMES.__getitem__, key="kind", bind=URL)
    if kind != "hard":
        alpha = second.slider("Label smoothing α", 0.01, 0.99, alpha, 0.01, key="alpha", bind=URL)
    n_classes = int(third.number_input("Classes K", 2, MOST_CLASSES, k, key="k", bind=URL))
    if "true" in st.session_state and not 0 <= st.session_state["true"] < n_classes:
        st.session_state["true"] = n_classes - 1
    own = int(fourth.number_input("True class", 0, n_classes - 1, 0, key="true", bind=URL))
    prior: tuple[float, ...] = ()
    wrong = ""
    if kind == "prior":
        text = st.text_input(
            "Prior u(k)",
            key="prior",
            bind=URL,
            placeholder="1/k for the k-th class",
            help="A number per class, with commas between; they are divided by their sum.",
        )
        prior, wrong = _prior(text or "", n_classes)
    return Targets(kind, 0.0 if kind == "hard" else alpha, prior), n_classes, own, wrong


def _prior(text: str, n_classes: int) -> tuple[tuple[float, ...], str]:
    """What was typed as a prior, or the one that stands in for it with a sentence that says why."""
    stands_in = weights([1 / (k + 1) for k in range(n_classes)])
    if not text.strip():
        return stands_in, ""
    try:
        return weights([float(word) for word in text.split(",")], n_classes), ""
    except ValueError:
        return stands_in, (
            f"A prior has {n_classes} numbers of 0 or more, separated by commas and not all 0: "
            "until you give one, 1/k is used."
        )


def _table(every: Sequence[TargetFacts], kind: str) -> str:
    """The same alpha in every convention; the chosen one stands out."""
    alpha = every[0].targets.label_smoothing or 0.0
    heads = (f"α = {alpha:g}", "true class", "each other", "sum", "optimal logit gap, nats", "same vector as")
    head = "".join(f"<th>{word}</th>" for word in heads)
    body = []
    for facts in every:
        best = ' class="pz-best"' if facts.targets.kind == kind else ""
        cells = [number(facts.true), facts.others, number(facts.total), number(facts.gap)]
        same = facts.same_as or ("refused: no distribution" if facts.refusal else "–")
        words = [NAMES[facts.targets.kind], *cells, same]
        body.append(f"<tr{best}>{''.join(f'<td>{escape(word)}</td>' for word in words)}</tr>")
    rows = f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody>"
    return f'{SCROLLER}<table class="pz-table pz-words-last">{rows}</table></div>'
