"""What a run.json says of a network that penviz did not train. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

KNOWN = ("dataset", "model", "targets", "label_smoothing")
"""Config fields that are known of an adopted run; the others are of a training that penviz did not see."""

HELD_OUT_BEFORE = ("cifar10", "cifar100", "mnist", "fashion_mnist", "digits", "pets", "pets-fastai")
"""Data whose "validation" version 0.1 took out of the training images, also for networks of others."""


@dataclass(frozen=True)
class Adoption:
    """The part "adopted" of a run.json, as far as pictures and numbers need it.

    Attributes:
        file: name of the file the network or its activations came from.
        measured: accuracy that penviz measured, in [0, 1]; expected: the one that the user stated; None where
            there is none. warning: a sentence where the two do not agree, else "".
        quick_look: classes whose examples alone were taken, as names or rows of the head; () for all.
        per_class: examples a class of that quick look, 0 when not said.
        recipe: what is known to be unlike the plain recipe in its training, a few words each.
        unseen: splits that the network has not been trained on; None in runs of version 0.1, which did not
            say. seen: a sentence on what accuracy tells of the images that it has seen, or "".
    """

    file: str = ""
    measured: float | None = None
    expected: float | None = None
    warning: str = ""
    quick_look: tuple[str | int, ...] = ()
    per_class: int = 0
    recipe: tuple[str, ...] = ()
    unseen: tuple[str, ...] | None = None
    seen: str = ""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Adoption:
        """Read what an adoption has written; TypeError or ValueError on a value of the wrong type."""
        accuracy, look = data.get("accuracy") or {}, data.get("quick_look") or {}
        classes = look.get("classes") or () if isinstance(look, dict) else None
        if not isinstance(accuracy, dict) or not isinstance(classes, list | tuple):
            raise TypeError("accuracy and quick_look are dictionaries")
        if not all(isinstance(c, str | int) for c in classes):
            raise TypeError("classes are names or rows")
        return cls(
            str(data.get("file") or ""),
            _share(accuracy.get("measured")),
            _share(accuracy.get("expected")),
            str(accuracy.get("warning") or ""),
            tuple(classes),
            int(look.get("per_class") or 0),
            _words(data.get("recipe")),
            None if data.get("unseen") is None else _words(data["unseen"]),
            str(data.get("seen") or ""),
        )

    @property
    def mark(self) -> str:
        """The warning in four or five words for a panel, "" where there is none."""
        if not self.warning:
            return ""
        if self.measured is None or self.expected is None:
            return "accuracy in doubt"
        points = round(100 * (self.measured - self.expected))
        if points == 0:
            return "accuracy in doubt"
        word = "point" if abs(points) == 1 else "points"
        return f"accuracy {abs(points)} {word} {'above' if points > 0 else 'below'} the stated"


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple | None) or not all(isinstance(v, str) for v in value or ()):
        raise TypeError("it must be a list of words")
    return tuple(value or ())


def _share(value: object) -> float | None:
    return None if value is None else float(value)  # type: ignore[arg-type]
