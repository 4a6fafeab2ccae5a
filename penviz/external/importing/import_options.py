"""What `penviz extract FILE` was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from penviz.metrics.target_vectors import Targets
from penviz.store.run_config import RunError


@dataclass(frozen=True)
class Request:
    """What the command line asked for; "" and None where it left the choice.

    Attributes:
        model, dataset, out, data_dir, image_size, hold_out: as the options.
        class_names: "cifar10", "cifar100", "imagenet" or a text file.
        preprocessing: a row of the table in words, or a JSON file; body: likewise of the network's body.
        mean, std: one number a channel, or one for all; pixels: "0..1", "0..255" or "-1..1" before them; all
            in place of a row of the table.
        expected: accuracy in [0, 1]; label_smoothing: alpha the checkpoint was trained with.
        classes: names or indices of a quick look; per_class, splits, device: as of `penviz extract`.
        trust: pickles may run code; yes: take the best row without a word.
    """

    model: str = ""
    dataset: str = ""
    out: Path | None = None
    data_dir: Path = Path("data")
    image_size: int = 0
    hold_out: int = 0
    class_names: str = ""
    preprocessing: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    pixels: str = ""
    body: str = ""
    expected: float | None = None
    label_smoothing: float | None = None
    classes: tuple[str, ...] = ()
    per_class: int = 1000
    splits: tuple[str, ...] = ()
    thumbnail_quality: int = 35
    device: str = "auto"
    trust: bool = False
    yes: bool = False

    def __post_init__(self) -> None:
        if self.pixels not in ("", "0..1", "0..255", "-1..1"):
            raise RunError("--pixels is 0..1, 0..255 or -1..1.")
        if any(not 0 < s < float("inf") for s in self.std):
            raise RunError("--std must be above 0.")
        if self.preprocessing and (self.mean or self.std or self.pixels):
            raise RunError("--preprocessing stands in place of --mean, --std and --pixels: leave out one.")
        if self.expected is not None and not 0 <= self.expected <= 1:
            raise RunError("The expected accuracy must lie between 0 and 100 %.")
        if self.label_smoothing is not None and not 0 <= self.label_smoothing < 1:
            raise RunError("The label smoothing must be 0 or above, and below 1.")

    @property
    def targets(self) -> str:
        """ "unknown" where no label smoothing was stated."""
        return Targets.of(self.label_smoothing).kind
