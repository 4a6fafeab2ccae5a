"""Training: one straight loop from a RunConfig to a directory with run.json and model.safetensors.

At any moment the process may be killed; `resume=True` continues from the last saved state to the same
weights, bit for bit on a CPU with the same versions and number of threads. Random choices depend on the seed,
the epoch and the step only, so no generator state has to be kept.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

from penviz.store.run_config import RunConfig, RunError
from penviz.store.runs import MODEL_FILE, RUN_FILE, read_run, sha256_of, write_json
from penviz.training import checkpoints
from penviz.training import erasure as erasing
from penviz.training.data_set import DataSet
from penviz.training.network import Network
from penviz.training.progress import Progress, Stopped
from penviz.training.ranks import ALONE, Ranks
from penviz.training.snapshots import SNAPSHOT_FILES, SNAPSHOT_PARTS, SnapshotKeeper
from penviz.training.train_options import DEFAULTS, TrainOptions
from penviz.training.trainer import Training, machine, versions

PART_FILES = (f"{RUN_FILE}.part", f"{MODEL_FILE}.part", f"{checkpoints.STATE_FILE}.part", *SNAPSHOT_PARTS)
OWN_FILES = (RUN_FILE, MODEL_FILE, checkpoints.STATE_FILE, *SNAPSHOT_FILES, *PART_FILES)
"""What a training leaves in its directory; it removes nothing else."""


def train(
    config: RunConfig,
    dataset: DataSet,
    out: Path | str,
    options: TrainOptions = DEFAULTS,
    *,
    teacher: Network | None = None,
    ranks: Ranks = ALONE,
) -> Path:
    """Train one run to its end, or continue one.

    Args:
        config: what to train.
        dataset: its data, in memory (training/data.py).
        out: directory of the run; it must be new or empty unless the options resume.
        teacher: the network that distilled targets come from; training/distill.py finds it and checks it.
        ranks: the processes that share the work; each comes here with the same request, and `out` lies where
            all of them see it. Rank 0 writes, reports and speaks.

    Returns:
        The directory, holding run.json and model.safetensors.

    Raises:
        RunError: a directory that is not empty or that another process writes to, a state of another config,
            or a loss that is not finite. Nothing is written before the request is known to be sound.
    """
    out = Path(out)
    used = _is_used(out, options.resume)
    if config.targets == "unknown":
        raise RunError("Unknown targets cannot be trained on: choose a label smoothing, 0 for hard targets.")
    if (teacher is None) == (config.targets == "distilled"):
        raise RunError("Distilled targets, and no others, need a teacher: use penviz distill.")
    with contextlib.ExitStack() as held:
        if used:
            held.enter_context(ranks.alone_in(out))
            if _is_finished(out, config):
                if ranks.first:
                    (out / checkpoints.STATE_FILE).unlink(missing_ok=True)
                    options.say(f"{out} is finished already.")
                return out
        training = Training(config, dataset, out, options, teacher=teacher, ranks=ranks)
        if (out / checkpoints.STATE_FILE).is_file():
            for note in training.restore():
                if ranks.first:
                    options.say(note)
        keeper = SnapshotKeeper(training)
        _take_place(out, used, training.steps_done(), ranks, held)
        training.observe("start")
        _write_run(training, {})
        _train_epochs(training, keeper)
        _finish(training)
    return out


def _take_place(out: Path, used: bool, steps: int, ranks: Ranks, held: contextlib.ExitStack) -> None:
    """Make the directory, hold it, and remove what a process that was stopped left half written."""
    if not ranks.agree(steps):  # here every rank has looked, and none has written
        raise RunError(f"The ranks see different files in {out}: it must lie on a disk that they share.")
    if ranks.first:
        out.mkdir(parents=True, exist_ok=True)
    if not used:
        held.enter_context(ranks.alone_in(out))
        if ranks.any(ranks.first and any(out.iterdir()))[0]:
            raise RunError(f"Another process has begun a run in {out}: choose another --out.")
    if ranks.first:
        for name in PART_FILES:
            (out / name).unlink(missing_ok=True)


def _is_used(out: Path, resume: bool) -> bool:
    """Whether a run was begun in a directory; RunError where none may be, or something else is there."""
    used = out.is_dir() and any(out.iterdir())
    if used and not resume:
        raise RunError(f"{out} is not empty: choose another --out, or continue it with --resume.")
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file: choose another --out.")
    if used and not any((out / name).exists() for name in OWN_FILES):
        raise RunError(f"{out} holds no run to resume: choose another --out.")
    return used


def _is_finished(out: Path, config: RunConfig) -> bool:
    if not (out / RUN_FILE).is_file():
        return False
    run = read_run(out)
    if run.config != config:
        changed = ", ".join(run.config.differences(config))
        raise RunError(f"{out} was started with another config ({changed}): use the same, or another --out.")
    return checkpoints.has_weights(run)


def _train_epochs(training: Training, keeper: SnapshotKeeper) -> None:
    config, options, state, ranks = training.config, training.options, training.state, training.ranks
    meter = Meter(training)
    saved = time.monotonic()
    while state.epoch < config.last_epoch:
        training.network.train()
        plan = training.plan()
        while state.step < training.n_steps:
            training.run_step(plan)
            training.observe(f"step {state.epoch} {state.step}")
            meter.update()
            ending, due = ranks.any(
                options.stopped(), ranks.first and time.monotonic() - saved > options.save_every
            )
            if ending:
                training.save_state()
                raise Stopped("Stopped; the state is saved. Continue with the same command and --resume.")
            if due and state.step < training.n_steps:
                training.save_state()
                saved = time.monotonic()
        training.check_finite()
        ended = state.epoch + 1
        line = training.line(ended == config.last_epoch or ended % options.validate_every == 0)
        if options.erasure is not None and ranks.first:
            line |= erasing.erasure(training.network, training.dataset, config, options.erasure)
        state.history.append(line)
        meter.update(line)
        state.epoch, state.step = state.epoch + 1, 0
        state.sums.zero_()
        state.largest.zero_()
        meter.told_sums.zero_()
        if ranks.first:
            keeper.keep()
        training.save_state()
        saved = time.monotonic()
        _write_run(training, {})


class Meter:
    """Turns the sums of a training into Progress messages, twice a second and at the end of each epoch."""

    def __init__(self, training: Training):
        self.training = training
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
        self.training.options.report(
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


def _write_run(training: Training, extra: dict[str, Any]) -> None:
    if not training.ranks.first:
        return
    state, config, options = training.state, training.config, training.options
    record: dict[str, Any] = {
        "config": config.to_json(),
        "class_names": list(training.dataset.class_names),
        "image_shape": list(training.dataset.image_shape),
        "splits": {
            name: {"n": len(split), "dataset_id": split.dataset_id}
            for name, split in training.dataset.splits.items()
        },
        "source_id": training.dataset.source_id,
        "status": "finished" if extra else "training",
        "command": options.command,
        "versions": versions(),
        "machine": machine(training.device)
        | {
            "ranks": training.ranks.size,
            "accumulate": options.accumulate,
            "compiled": options.compiled,
        },
        "seconds": round(state.seconds, 1),
        **({"prior": list(training.objective.targets.prior)} if config.targets == "prior" else {}),
        "history": state.history,
    }
    write_json(training.out / RUN_FILE, record | extra)


def _finish(training: Training) -> None:
    config, out = training.config, training.out
    metrics = {name: training.scores(name) for name in training.dataset.splits}
    if not training.ranks.first:
        return
    model = out / MODEL_FILE
    meta = {"config": config.to_json(), "class_names": list(training.dataset.class_names)}
    checkpoints.write_tensors(model, training.network.state_dict(), meta, training.observe)
    _write_run(training, {"metrics": metrics, "model_sha256": sha256_of(model)})
    training.observe("run finished")
    (out / checkpoints.STATE_FILE).unlink(missing_ok=True)
