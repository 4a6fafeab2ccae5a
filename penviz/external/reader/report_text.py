"""A report as text: short enough to read, with all that a person decides by."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence

from penviz.external.reader.report import OF_WEIGHTS, FileReport, TensorEntry, printable

WIDTH = 100
FIRST, LAST = 8, 6
"""Keys shown at the head and the tail of a long table: the body begins above, the last layer stands below."""

_NUMBERED = {"npz": "arrays", "npy": "arrays"}


def report_text(report: FileReport, networks: Sequence[str] = ()) -> str:
    """The report in lines of at most about 100 characters; a refusal is said apart (refusal_text).

    Args:
        report: of a file; networks: which it fits, a line each, from whoever can tell.
    """
    lines = [f"{report.name}: {report.kind}, {size_text(report.n_bytes)}"]
    rows = _rows(report)
    rows += [("networks" if i == 0 else "", line) for i, line in enumerate(networks)]
    if rows:
        lines.append("")
    pad = max((len(label) for label, _ in rows), default=0)
    for label, text in rows:
        lines += textwrap.wrap(
            text,
            WIDTH,
            initial_indent=f"  {label:<{pad}}  ",
            subsequent_indent=" " * (pad + 4),
            break_on_hyphens=False,
        )
    if report.tensors:
        lines += ["", *_table(report)]
    return "\n".join(lines)


def refusal_text(report: FileReport) -> str:
    """Why the file may not be loaded, and how to convert it; "" for a file that may be."""
    if not report.refusal:
        return ""
    return "\n".join([f"Refused: {report.refusal} {report.advice}".strip(), *code_lines(report)])


def code_lines(report: FileReport) -> list[str]:
    """The lines of Python that help with a refused file, between empty lines and indented."""
    return ["", *(f"    {line}".rstrip() for line in report.lines), ""] if report.lines else []


def _rows(report: FileReport) -> list[tuple[str, str]]:
    rows = []
    if report.n_parameters:
        n = len(report.tensors)
        dtypes = Counter(entry.dtype for entry in report.tensors)
        held = ", ".join(dtype for dtype, _ in dtypes.most_common(4))
        rows.append(("parameters", f"{report.n_parameters:,} in {n:,} tensor{'s' * (n != 1)} ({held})"))
    if report.n_classes is not None:
        rows.append(("classes", f"{report.n_classes:,}: {report.n_classes_evidence}"))
    elif report.tensors and not report.refusal and report.kind in OF_WEIGHTS:
        rows.append(("classes", "not clear from the file"))
    if report.wrapper or report.prefix:
        undone = [f"key {printable(key, 60)}" for key in report.wrapper]
        undone += [f"prefix {report.prefix}"] if report.prefix else []
        rows.append(("unwrapped", ", ".join(undone)))
    rows += [(("also holds" if i == 0 else ""), f"{k} = {v}") for i, (k, v) in enumerate(_few(report.extras))]
    if report.globals:
        rows.append(("globals", _some(report.globals, 12)))
    if report.not_finite:
        rows.append(("not finite", f"NaN or infinity in {_some(report.not_finite, 6)}"))
    rows += [(("notes" if i == 0 else ""), note) for i, note in enumerate(report.notes)]
    if report.sha256:
        rows.append(("sha256", report.sha256))
    return rows


def _few(extras: Mapping[str, str], most: int = 12) -> list[tuple[str, str]]:
    items = list(extras.items())
    left = len(items) - most
    return items if left <= 0 else [*items[:most], ("...", f"{left:,} more")]


def _some(names: tuple[str, ...], most: int) -> str:
    shown = ", ".join(printable(name, 90) for name in names[:most])
    return shown if len(names) <= most else f"{shown}, ... {len(names):,} in all"


def _table(report: FileReport) -> list[str]:
    """A line a tensor: key, shape, dtype; the middle of a long table is left out and counted."""
    entries = report.tensors
    short = len(entries) > FIRST + LAST + 1
    shown: list[TensorEntry] = [*entries[:FIRST], *entries[-LAST:]] if short else list(entries)
    wide = max(len(entry.key) for entry in shown)
    shapes = [" x ".join(map(str, entry.shape)) or "scalar" for entry in shown]
    across = max(map(len, shapes))
    lines = [
        f"  {entry.key:<{wide}}  {shape:>{across}}  {entry.dtype}"
        for entry, shape in zip(shown, shapes, strict=True)
    ]
    if short:
        lines.insert(
            FIRST, f"  ... {len(entries) - FIRST - LAST:,} more {_NUMBERED.get(report.kind, 'tensors')}"
        )
    return lines


def size_text(n_bytes: int) -> str:
    """A length in the unit that a person would choose."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.3g} {unit}"
    return f"{n_bytes} bytes"
