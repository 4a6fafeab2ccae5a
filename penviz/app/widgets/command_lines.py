"""Commands as a page shows them: no word of an option is broken where the box ends."""

from __future__ import annotations

import shlex

NARROW, WIDE = 40, 90
"""Characters that a line holds in a column beside a chart, and over the whole page."""


def command_lines(commands: str, most: int = WIDE) -> str:
    """The same commands, long ones parted before options.

    Args:
        commands: one or more, each on a line; most: characters a line, where the options allow it.

    Returns:
        Lines that a POSIX shell reads as the same commands.
    """
    return "\n".join(_parted(command, most) for command in commands.splitlines())


def _parted(command: str, most: int) -> str:
    parts: list[list[str]] = [[]]
    for word in shlex.split(command):
        if word.startswith("--"):
            parts.append([])
        parts[-1].append(word)
    first, *options = map(shlex.join, parts)
    lines = [first]
    for option in options:
        if len(lines[-1]) + len(option) + len("  \\") <= most:
            lines[-1] += f" {option}"
        else:
            lines.append(f"  {option}")
    return " \\\n".join(lines)
