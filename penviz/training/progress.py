"""What a running training tells, and how it is asked to stop."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from penviz.training.trainer import Training


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


class Meter:
    """Turns the sums of a training into Progress messages, twice a second and at the end of each epoch."""

    def __init__(self, training: Training, report: Callable[[Progress], None]):
        self.training, self.report = training, report
        self.started = self.told = time.monotonic()
        self.seconds_before = training.state.seconds
        self.first_step = self.told_step = training.steps_done()
        self.told_sums = training.state.sums.clone()

    def update(self, line: dict[str, Any] | None = None) -> None:
        """Report if half a second has passed, or if an epoch has just ended (its line in the history)."""
        now = time.monotonic()
        training, state = self.training, self.training.state
        state.seconds = self.seconds_before + now - self.started
        if now - self.told < 0.5 and line is None:
            return
        training.check_finite()
        done, config = training.steps_done(), training.config
        loss, _, correct, count, _ = (state.sums - self.told_sums).tolist()
        seconds_a_step = (now - self.started) / max(1, done - self.first_step)
        self.report(
            Progress(
                epoch=state.epoch + 1,
                epochs=config.last_epoch,
                step=state.step,
                steps=training.n_steps,
                loss=line["train_loss"] if line else loss / count,
                accuracy=line["train_accuracy"] if line else correct / count,
                images_per_second=(done - self.told_step) * config.batch_size / max(1e-9, now - self.told),
                seconds_left=seconds_a_step * (config.last_epoch * training.n_steps - done),
                line=line,
            )
        )
        self.told, self.told_step, self.told_sums = now, done, state.sums.clone()


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
