"""What a file holds and what was measured on it, as text for the cards of "Your model"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from penviz.app.style import SCROLLER
from penviz.external.reader.report import FileReport, TensorEntry
from penviz.external.reader.report_text import size_text

MOST_TENSORS = 400


def summary_line(report: FileReport) -> str:
    """Kind, size, parameters and classes in one line."""
    parts = [report.kind, size_text(report.n_bytes)]
    if report.n_parameters:
        word = "tensor" if len(report.tensors) == 1 else "tensors"
        parts.append(f"{report.n_parameters:,} parameters in {len(report.tensors):,} {word}")
    if report.n_classes:
        parts.append(f"{report.n_classes:,} classes")
    return " · ".join(parts)


def details_html(report: FileReport) -> str:
    """How the file was read: evidence for the classes, wrappers undone, what lies beside the weights."""
    lines = []
    if report.n_classes_evidence:
        lines.append(("Classes", report.n_classes_evidence))
    if report.wrapper:
        lines.append(("Unwrapped from", " → ".join(report.wrapper)))
    if report.prefix:
        lines.append(("Prefix removed", report.prefix))
    if report.extras:
        shown = [f"{key} {value}" for key, value in report.extras.items()]
        lines.append(("Also in the file", "; ".join(shown)))
    if report.globals:
        lines.append(("Names in its pickle", ", ".join(report.globals)))
    if report.not_finite:
        lines.append(("NaN or infinity in", ", ".join(report.not_finite)))
    lines += [("Note", note) for note in report.notes]
    lines.append(("SHA-256", report.sha256))
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(_short(text, 400))}</dd>" for name, text in lines if text
    )
    return f'<dl class="pz-facts">{rows}</dl>'


def tensors_html(tensors: Sequence[TensorEntry]) -> str:
    """The keys, shapes and types of a file, the first MOST_TENSORS of them."""
    rows = "".join(
        f"<tr><td>{escape(_short(t.key, 90))}</td><td>{' × '.join(map(str, t.shape)) or 'one number'}</td>"
        f"<td>{escape(t.dtype)}</td></tr>"
        for t in tensors[:MOST_TENSORS]
    )
    more = len(tensors) - MOST_TENSORS
    rest = f'<p class="pz-note">and {more:,} more</p>' if more > 0 else ""
    return (
        f'<div class="pz-keys">{SCROLLER}<table class="pz-table"><thead><tr><th>key</th><th>shape</th>'
        f"<th>type</th></tr></thead><tbody>{rows}</tbody></table></div></div>{rest}"
    )


def check_html(rows: Sequence[Mapping[str, Any]], chosen: int) -> str:
    """Accuracy and negative log-likelihood of each input tried, the chosen one marked."""
    body = "".join(
        f'<tr class="{"pz-best" if i == chosen else ""}"><td>{escape(setup_text(row))}</td>'
        f"<td>{100 * row['accuracy']:.1f} %</td><td>{row['nll']:.3f}</td></tr>"
        for i, row in enumerate(rows)
    )
    return (
        f'<div class="pz-keys">{SCROLLER}<table class="pz-table"><thead><tr><th>input and network</th>'
        f"<th>accuracy</th><th>NLL (nats)</th></tr></thead><tbody>{body}</tbody></table></div></div>"
    )


def setup_text(row: Mapping[str, Any]) -> str:
    """A set-up in words: how pixels are fed, and what of the network leaves no key in a file."""
    return row["describe"] if row["body"] == "as built" else f"{row['describe']}; {row['body']}"


def head_text(head: Mapping[str, Any]) -> str:
    """How the head was proved, or why class means stand in."""
    if head["kind"] == "none":
        return str(head["sentence"])
    layer = f"The {head['kind']} layer {head['module']}" if head["module"] else f"A {head['kind']} layer"
    return f"{layer} is proved to be the head: W h + b is off by {head['deviation']:.0e} of the logits."


def folder_text(summary: Mapping[str, Any]) -> str:
    """What a zip of images held."""
    parts = [f"{n:,} images{f' in {split}/' if split else ''}" for split, n in summary["splits"].items()]
    left = f" {summary['n_left_out']:,} other files were left out." if summary["n_left_out"] else ""
    named = len(summary["class_names"])
    return f"{' and '.join(parts)}, {named} classes: choose it as the images of a checkpoint.{left}"


def duration_text(seconds: float | None) -> str:
    """A time to wait: "about 14 min", "under a minute"."""
    if seconds is None:
        return ""
    if seconds < 50:
        return "under a minute"
    minutes = seconds / 60
    return f"about {minutes:.0f} min" if minutes < 90 else f"about {minutes / 60:.1f} hours"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
