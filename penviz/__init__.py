"""penviz: see what training targets do to a classifier's penultimate layer.

import penviz

loaders = {"train": train_loader, "validation": val_loader}
hard = penviz.capture(hard_net, loaders, name="hard", label_smoothing=0)
soft = penviz.capture(soft_net, loaders, name="soft", label_smoothing=0.1)
figure = penviz.compare([hard, soft], classes=["airplane", "automobile", "bird"])
figure.paper(venue="icml").save("figure1.pdf")

Every name below is imported when it is first used: `import penviz` itself brings in next to nothing.
"""

from __future__ import annotations

from penviz.store.safe_text import safe_text

__version__ = "0.2.0"

PUBLIC = {
    "CapturedRun": "penviz.store.captured_run:CapturedRun",
    "Comparison": "penviz.study.comparison:Comparison",
    "ComparisonFigure": "penviz.own_code.comparison_figure:ComparisonFigure",
    "ComparisonOptions": "penviz.study.comparison:ComparisonOptions",
    "Recorder": "penviz.own_code.recorder:Recorder",
    "Study": "penviz.study.study:Study",
    "adopt": "penviz.own_code.checkpoint_verbs:adopt",
    "capture": "penviz.own_code.capture:capture",
    "compare": "penviz.own_code.comparison_figure:compare",
    "draw_plane": "penviz.own_code.draw_plane:draw_plane",
    "extract": "penviz.own_code.checkpoint_verbs:extract",
    "from_arrays": "penviz.store.run_from_arrays:from_arrays",
    "load": "penviz.store.captured_run:load",
    "open_study": "penviz.figures.open_study:open_study",
    "save": "penviz.store.captured_run:save",
    "train": "penviz.own_code.checkpoint_verbs:train",
}
"""Public name -> where it is defined."""

__all__ = ["InputError", *PUBLIC]


class InputError(ValueError):
    """What a user gave cannot be used; the message is one sentence that says why and what to do.

    It may name a file or repeat a word of the user's, and is safe to show (`safe_text`).
    """

    def __init__(self, sentence: str):
        super().__init__(safe_text(sentence, lines=True))


def __getattr__(name: str) -> object:
    if name not in PUBLIC:
        raise AttributeError(f"module 'penviz' has no attribute {name!r}")
    from pkgutil import resolve_name

    found: object = resolve_name(PUBLIC[name])
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
