"""What was chosen for a foreign network, each with its evidence."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from penviz.external.evidence.preprocessing import Preprocessing
from penviz.external.networks.variants import Variant
from penviz.store.run_config import RunError


@dataclass(frozen=True)
class Choices:
    """What the user confirmed about a checkpoint.

    Attributes:
        model: name of the architecture.
        preprocessing: from stored pixels to the network's input.
        variant: changes of the body that leave no key.
        targets: "hard", "uniform" or "unknown"; label_smoothing: alpha, None where it is not known.
        expected: accuracy in [0, 1] that is known of it, or None.
        recipe: what is known to be unlike the plain recipe in its training, a few words each.

    Raises:
        RunError: targets and label smoothing that do not fit, an accuracy out of range.
    """

    model: str
    preprocessing: Preprocessing
    variant: Variant = dataclasses.field(default_factory=Variant)
    targets: str = "unknown"
    label_smoothing: float | None = None
    expected: float | None = None
    recipe: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        alpha = self.label_smoothing
        fits = {
            "unknown": alpha is None,
            "hard": alpha == 0,
            "uniform": alpha is not None and 0 < alpha < 1,
        }
        if not fits.get(self.targets, False):
            raise RunError(
                "Targets are unknown, hard (label smoothing 0) or uniform (label smoothing above 0, below 1)."
            )
        if self.expected is not None and not 0 <= self.expected <= 1:
            raise RunError("The expected accuracy must lie between 0 and 100 %.")
