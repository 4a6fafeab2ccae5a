"""Tables as text: columns that are aligned, numbers that are never folded."""

from __future__ import annotations

import unicodedata

import pytest

from penviz.text_table import text_table

LINES = [
    ["", "hard", "soft", "change"],
    ["radius over distance, in feature space", "0.25", "0.109", "-54 % [-56, -51]"],
    ["accuracy", "0.9", "", ""],
]


def width(line: str) -> int:
    """Columns of a terminal, by the Unicode property and not by rich."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)


def test_words_stand_left_and_numbers_right() -> None:
    heads, first, second = text_table(LINES)
    assert first == "radius over distance, in feature space  0.25  0.109  -54 % [-56, -51]"
    assert second == "accuracy                                 0.9"
    assert heads.endswith("hard   soft            change")
    assert len({heads.index("hard") + 4, first.index("0.25") + 4, len(second)}) == 1


def test_gaps_and_columns_of_words() -> None:
    lines = text_table([("1", "cat", "3 %"), ("10", "horse", "12 %")], left=(1, 2), gaps={2: 5})
    assert lines == [" 1  cat       3 %", "10  horse     12 %"]


def test_letters_of_two_columns_are_counted_so() -> None:
    lines = text_table([("飞机", "1"), ("bird", "10")])
    assert [width(line) for line in lines] == [8, 8]


@pytest.mark.parametrize("columns", [60, 20, 1])
def test_a_narrow_terminal_folds_words_and_no_number(columns: int) -> None:
    folded = text_table(LINES, columns=columns)
    assert len(folded) > len(LINES)
    for cell in (cell for line in LINES for cell in line[1:] if cell):
        assert sum(cell in line for line in folded) == 1, cell
    words = " ".join(line.split("  ")[0] for line in folded)
    assert words.split() == ["radius", "over", "distance,", "in", "feature", "space", "accuracy"]
