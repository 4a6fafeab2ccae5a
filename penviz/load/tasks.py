"""What may be asked of the cage: name -> function of JSON arguments and a way to tell progress."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch  # noqa: F401  imported before the server forks, so that no child has to
import torchvision  # noqa: F401

Tell = Callable[[dict[str, Any]], None]


def inspect(arguments: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """A file's report (`penviz.foreign.inspection`); arguments: path, name."""
    from penviz.foreign.inspection import inspect_file

    return inspect_file(Path(arguments["path"]), name=arguments.get("name")).to_json()


TASKS: dict[str, Callable[[dict[str, Any], Tell], dict[str, Any]]] = {"inspect": inspect}
"""Paths in arguments are strings below the session's directory, or below a directory that the app allows."""
