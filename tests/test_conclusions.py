"""The page of pairs and their sentences: that it is whole, and that no sentence of it judges."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "conclusions.md"


def test_forty_pairs_and_no_judgement() -> None:
    rows = [line.split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:3] != "|--"]
    rows = [cells for cells in rows if re.match(r"\| \d+$", cells[0])]
    assert [int(cells[0][2:]) for cells in rows] == list(range(1, len(rows) + 1))
    assert len(rows) >= 40
    for _, differs, headline, detail in rows:
        said = f"{headline} {detail}"
        assert not re.search(r"better|worse|separat|improve|\bnan\b|None", said, re.IGNORECASE), differs
        assert re.fullmatch(r"\*\*[^*]+[^.*]\*\*", headline), differs
        assert not re.search(r"→ \S+ \[", said), differs  # brackets after two values read as rho/d's own
