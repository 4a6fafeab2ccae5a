"""How a run is trained, beside its config."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from penviz.training.checkpoints import Observer
from penviz.training.progress import Progress

SNAPSHOTS_PER_CLASS = 100


@dataclass(frozen=True)
class TrainOptions:
    """What a training is asked beside its config: where it runs, what it keeps, and whom it tells.

    Attributes:
        resume: continue from the state in the run's directory, or start when there is none yet.
        device: "auto", "cpu", "cuda", "mps", ...
        save_every: seconds between saved states within an epoch; each epoch's end is saved in any case.
        validate_every: epochs between evaluations of the validation split; the last epoch always has one.
        snapshots: epochs at whose end features are kept (penviz/store/snapshots.py says which), 0 for none;
            snapshots_per_class: of how many examples a class, of train and of validation;
            snapshots_spacing: of these epochs, "quadratic" or "log".
        erasure: two classes whose erasure (training/erasure.py) stands in the history of every epoch.
        command: the command line, kept in run.json.
        accumulate: passes in which a rank takes its part of a batch, so that less memory is needed.
        compiled: whether torch compiles the network's steps: faster on an accelerator, after a minute or so
            at the start; weights differ by rounding.
        report: called a few times a second and at the end of each epoch.
        say: called with sentences a user should read.
        stopped: asked after each step; when it says yes, the state is saved and Stopped is raised.
        observe: called with the name of every point reached (tests stop the process there).
    """

    resume: bool = False
    device: str = "auto"
    save_every: float = 120.0
    validate_every: int = 1
    snapshots: int = 0
    snapshots_per_class: int = SNAPSHOTS_PER_CLASS
    snapshots_spacing: str = "quadratic"
    erasure: tuple[int, int] | None = None
    command: str = ""
    accumulate: int = 1
    compiled: bool = False
    report: Callable[[Progress], None] = lambda progress: None
    say: Callable[[str], None] = lambda sentence: None
    stopped: Callable[[], bool] = lambda: False
    observe: Observer = lambda point: None


DEFAULTS: TrainOptions = TrainOptions()
