"""What penviz says of pairs of runs that differ in one thing: writes docs/conclusions.md.

    python benchmarks/conclusions.py [ROOT]

The runs are the two AlexNets of checkpoints/, changed in one thing each, and a few networks on digits
that are trained in ROOT (a temporary directory without it; some seconds each). Ends with status 1 where one
gets another kind of finding than it should.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from conclusion_cases import cases

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "conclusions.md"
HEAD = """# What penviz says of a pair of runs

Each line is a pair (or a few runs) that differs in one thing, and the sentence that penviz gives it.
Written by `python benchmarks/conclusions.py`, not by hand. "Hard" and "soft" are the two AlexNets on CIFAR-10
in `checkpoints/` (label smoothing 0 and 0.1, 300 examples a class and split) unless another network
is named; classes airplane, automobile, bird.

Of 780 pairs of hard `fc800` networks on digits that differ in the seed alone, {share} get a direction when
the second is taken for smoothed (`python benchmarks/null_pairs.py`).

| | differs in | what penviz says | numbers |
|---|---|---|---|
"""
SHARE = "1.4 %"
"""As null_pairs.py prints it."""


def main() -> int:
    """Ask for every pair, write the page, print what is not as it should be."""
    wrong = 0
    with tempfile.TemporaryDirectory() as made:
        root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(made)
        lines = []
        for number, case in enumerate(cases(root), 1):
            found = case.ask()
            print(number, case.differs, found.kind, flush=True)
            if found.kind != case.kind:
                wrong += 1
                print(f"{case.differs}: {found.kind}, not {case.kind}: {found.headline}. {found.detail}")
            cells = [str(number), case.differs, f"**{found.headline}**", found.detail]
            lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    PAGE.write_text(HEAD.format(share=SHARE) + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} lines in {PAGE.relative_to(ROOT)}; {wrong} not as they should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
