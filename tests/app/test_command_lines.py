"""Commands over several lines are the same commands."""

from __future__ import annotations

import shlex

import pytest

from penviz.app.widgets.command_lines import command_lines

LONG = (
    "penviz distill 'my --odd runs/a' runs/b --student tutorial_alexnet --pilot "
    "--out runs/tutorial_alexnet-pilot --epochs 20"
)


@pytest.mark.parametrize("most", [1, 20, 40, 60, 200])
def test_a_shell_reads_the_same_words(most: int) -> None:
    shown = command_lines(LONG, most)
    assert shlex.split(shown.replace("\\\n", " ")) == shlex.split(LONG)
    assert all(line.endswith(" \\") for line in shown.split("\n")[:-1])


def test_lines_are_as_long_as_they_may_be() -> None:
    assert command_lines(LONG, 200) == LONG
    lines = command_lines(LONG, 60).split("\n")
    assert len(lines) == 3
    assert max(map(len, lines)) <= 60
    assert "--student tutorial_alexnet --pilot" in lines[1]


def test_short_commands_and_lines_stay_as_they_are() -> None:
    assert command_lines("penviz models\npenviz app --runs a") == "penviz models\npenviz app --runs a"
