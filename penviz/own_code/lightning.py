"""A Recorder for Lightning: `Trainer(..., callbacks=[PenvizCallback(loaders, "runs/soft")])`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from penviz.own_code.recorder import Recorder
from penviz.store.captured_run import check_new


class PenvizCallback(Callback):
    """Films the training of a LightningModule and writes a run when it ends; the first process alone does."""

    def __init__(self, loaders: Any, directory: Path | str, *, module: str = "", **options: Any):
        """Check what can be checked before the training.

        Args:
            loaders: of the splits to record, as of `penviz.capture`; not those of the Trainer, which shuffle.
            directory: of the new run, whose name it takes.
            module: dotted name of the classifier within the LightningModule, "" where its forward gives the
                class scores.
            options: every, per_class, label_smoothing, ... of `penviz.Recorder`.

        Raises:
            InputError: a directory that is in use.
        """
        check_new(Path(directory))
        self.loaders, self.module = loaders, module
        self.options = {"name": Path(directory).name, "directory": directory} | options
        self.recorder: Recorder | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Choose the examples and prove the head."""
        if trainer.is_global_zero:
            self.recorder = Recorder(pl_module.get_submodule(self.module), self.loaders, **self.options)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take a snapshot when one is due."""
        if self.recorder is not None:
            loss = trainer.callback_metrics.get("train_loss")
            self.recorder.after_epoch(**({} if loss is None else {"train_loss": float(loss)}))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the run."""
        if self.recorder is not None:
            self.recorder.save()
