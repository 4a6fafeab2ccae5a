"""A Recorder for Hugging Face: `Trainer(..., callbacks=[PenvizCallback(loaders, "runs/soft")])`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from penviz.own_code.recorder import Recorder
from penviz.store.captured_run import check_new


class PenvizCallback(TrainerCallback):
    """Films the training of a classifier and writes a run when it ends; the first process alone does."""

    def __init__(self, loaders: Any, directory: Path | str, **options: Any):
        """Check what can be checked before the training.

        Args:
            loaders: of the splits to record, as of `penviz.capture`, such as
                {"validation": trainer.get_eval_dataloader(dataset)}.
            directory: of the new run, whose name it takes.
            options: every, per_class, label_smoothing, ... of `penviz.Recorder`. The label smoothing is that
                of the training arguments where it is not stated and no targets are.

        Raises:
            InputError: a directory that is in use.
        """
        check_new(Path(directory))
        self.loaders = loaders
        self.options = {"name": Path(directory).name, "directory": directory} | options
        self.recorder: Recorder | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Choose the examples and prove the head."""
        if state.is_world_process_zero:
            stated: dict[str, Any] = (
                {"label_smoothing": args.label_smoothing_factor} if "targets" not in self.options else {}
            )
            self.recorder = Recorder(kwargs["model"], self.loaders, **(stated | self.options))

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Take a snapshot when one is due."""
        if self.recorder is not None:
            self.recorder.after_epoch()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Write the run."""
        if self.recorder is not None:
            self.recorder.save()
