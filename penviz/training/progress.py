"""What a running training tells, and how it is asked to stop."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Progress:
    """One message of a running training.

    Attributes:
        epoch, epochs, step, steps: where it is; both count from 1, steps within the epoch.
        loss: H(targets, p) in nats, mean since the last message; accuracy: likewise, in [0, 1].
        images_per_second: over the last messages; seconds_left: estimate of the time to the end.
        line: at the end of an epoch, its entry in the history.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float
    images_per_second: float
    seconds_left: float
    line: dict[str, Any] | None = None


class Stopped(Exception):
    """The training was asked to stop; its state is saved."""


@contextlib.contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a flag that `train` sees after the step under way."""
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
