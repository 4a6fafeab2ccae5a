"""Tables as text, for the command line and for a comparison that is printed."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Sequence
from typing import Literal

UNBOUND = 10_000
"""Columns of a file or a pipe, in which no line is folded."""

LEAST = 16
"""Columns that the words of a line keep on a narrow terminal; numbers are never folded."""


def text_table(
    lines: Sequence[Sequence[str]],
    *,
    left: Sequence[int] = (0,),
    columns: int | None = None,
    gaps: dict[int, int] | None = None,
) -> list[str]:
    """Lines of cells in columns that are aligned; words of two columns a letter, as in Chinese, too.

    Args:
        lines: of as many cells each, the heads first.
        left: columns of words, aligned to the left; the others are aligned to the right. The first of them
            is folded where the terminal is narrower than the table.
        columns: of the terminal; if not given, its own, and no end in a file or a pipe.
        gaps: spaces before a column where they are not two.

    Returns:
        The lines, without spaces at their ends.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=0)
    widths = [max(map(cell_len, cells)) for cells in zip(*lines, strict=True)]
    before = [0, *((gaps or {}).get(i, 2) for i in range(1, len(widths)))]
    for i, (width, gap) in enumerate(zip(widths, before, strict=True)):
        if gap:
            table.add_column(width=gap)
        folded = i == left[0]
        side: Literal["left", "right"] = "left" if i in left else "right"
        table.add_column(justify=side, no_wrap=not folded, min_width=min(width, LEAST) if folded else width)
    for line in lines:
        cells = [Text(cell) for cell in line]
        table.add_row(*(one for i, cell in enumerate(cells) for one in ((Text(), cell) if i else (cell,))))
    if columns is None:
        columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else UNBOUND
    least = sum(before) + sum(widths) - widths[left[0]] + min(widths[left[0]], LEAST)
    text = io.StringIO()
    Console(file=text, width=max(columns, least), color_system=None, force_jupyter=False).print(table)
    return [line.rstrip() for line in text.getvalue().splitlines()]
