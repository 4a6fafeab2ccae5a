"""Training: one straight loop from a RunConfig to a directory with run.json and model.safetensors.

At any moment the process may be killed; `resume=True` continues from the last saved state to the same
weights, bit for bit on a CPU with the same versions and number of threads. Random choices depend on the seed,
the epoch and the step only, so no generator state has to be kept.
"""

from __future__ import annotations

import contextlib
import math
import platform
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import penviz
from penviz.learn import checkpoints, data, evaluate, images, models, targets
from penviz.learn.checkpoints import Observer
from penviz.runs import MODEL_FILE, RUN_FILE, RunConfig, RunError, read_run, sha256_of, write_json


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


def learning_rate(config: RunConfig, step: int, total: int) -> float:
    """Learning rate of a step (from 0) of `total`.

    "steps": lr, divided by 10 at each milestone passed. "one-cycle": linear from lr/10 to lr over the first
    fifth, then linear to lr/1000. "constant": lr.
    """
    if config.schedule == "constant":
        return config.lr
    done = step / total
    if config.schedule == "steps":
        return config.lr * 0.1 ** sum(done >= m for m in config.milestones)
    rise = 0.2
    if done < rise:
        return config.lr * (0.1 + 0.9 * done / rise)
    return config.lr * max(0.001, (1 - done) / (1 - rise))


def default_config(dataset: str, model: str, image_shape: tuple[int, int, int], **chosen: Any) -> RunConfig:
    """A RunConfig with the network's recipe, fitted to the images, and what was chosen by hand on top.

    Args:
        dataset, model: as in RunConfig.
        image_shape: (height, width, channels) of the stored images.
        chosen: RunConfig fields; None means not chosen.
    """
    recipe: dict[str, Any] = dict(models.architecture(model).recipe or {})
    height, width, channels = image_shape
    if channels == 1 and dataset != "fashion_mnist":
        recipe["flip"] = False  # a mirrored digit is another sign
    if recipe.get("crop", 0) > min(height, width) + 2 * recipe.get("pad", 0) or min(height, width) < 24:
        recipe |= {"crop": 0, "pad": 0}
    elif recipe.get("pad"):
        recipe["crop"] = min(height, width)
    recipe |= {key: value for key, value in chosen.items() if value is not None}
    smoothing = recipe.get("label_smoothing", 0.0)
    recipe.setdefault("targets", "uniform" if smoothing else "hard")
    return RunConfig(dataset=dataset, model=model, **recipe)


@dataclass
class _State:
    """Everything that changes while training and is kept on disk."""

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    sums: Tensor = field(default_factory=lambda: torch.zeros(4, dtype=torch.float64))
    """Sums over the epoch so far: loss, plain negative log-likelihood, correct, examples."""


class Training:
    """One run in the making: network, optimiser, data and state. `train` drives it."""

    def __init__(
        self, config: RunConfig, dataset: data.DataSet, out: Path, device: torch.device, observe: Observer
    ):
        self.config, self.dataset, self.out, self.device, self.observe = config, dataset, out, device, observe
        height, width, channels = dataset.image_shape
        padded = (height + 2 * config.pad, width + 2 * config.pad)
        if config.crop > min(padded):
            raise RunError(f"A crop of {config.crop} pixels does not fit images of {height} x {width}.")
        self.size = (config.crop, config.crop) if config.crop else padded
        self.slack = (padded[0] - self.size[0], padded[1] - self.size[1])
        train = dataset.splits["train"]
        if len(train) < config.batch_size:
            raise RunError(f"A batch of {config.batch_size} is more than the {len(train)} training examples.")
        self.n_steps = len(train) // config.batch_size
        self.images = images.pad(torch.from_numpy(train.images), config.pad).to(device)
        self.labels = torch.from_numpy(train.labels).to(device)
        fed = images.input_size(height, width, config.crop)
        if not config.crop and config.pad:
            raise RunError("Padding needs a crop: set one with --crop.")
        self.network = models.build(config.model, (channels, *fed), len(dataset.class_names), config.seed)
        self.network.to(device, memory_format=torch.channels_last)
        decayed = {id(p) for p in self.network.decayed}
        plain = [p for p in self.network.parameters() if id(p) not in decayed]
        groups = [
            {"params": self.network.decayed, "weight_decay": config.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        nesterov = config.nesterov and config.momentum > 0
        self.optimizer = torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=nesterov)
        self.state = _State()

    def tensors(self) -> dict[str, Tensor]:
        """Weights, buffers and momentum, by name."""
        named = {f"model.{key}": value for key, value in self.network.state_dict().items()}
        for name, parameter in self.network.named_parameters():
            buffer = self.optimizer.state.get(parameter, {}).get("momentum_buffer")
            if buffer is not None:
                named[f"momentum.{name}"] = buffer
        return named | {"sums": self.state.sums}

    def save_state(self) -> None:
        """Write the state of this moment to the run's directory."""
        state = self.state
        meta = {
            "config": self.config.to_json(),
            "epoch": state.epoch,
            "step": state.step,
            "seconds": state.seconds,
            "history": state.history,
            "threads": torch.get_num_threads(),
            "versions": versions(),
            "dataset_id": self.dataset.splits["train"].dataset_id,
        }
        checkpoints.write_tensors(self.out / checkpoints.STATE_FILE, self.tensors(), meta, self.observe)

    def restore(self) -> list[str]:
        """Read the saved state and set torch's threads as they were; returns what differs, a sentence each."""
        tensors, meta = checkpoints.read_tensors(self.out / checkpoints.STATE_FILE)
        if meta.get("dataset_id") != self.dataset.splits["train"].dataset_id:
            raise RunError("The data are not those that this run was started on: use the same data to resume.")
        self.network.load_state_dict(
            {key.removeprefix("model."): value for key, value in tensors.items() if key.startswith("model.")}
        )
        for name, parameter in self.network.named_parameters():
            if f"momentum.{name}" in tensors:
                buffer = torch.empty_like(parameter, requires_grad=False)
                self.optimizer.state[parameter]["momentum_buffer"] = buffer.copy_(tensors[f"momentum.{name}"])
        self.state = _State(meta["epoch"], meta["step"], meta["seconds"], meta["history"], tensors["sums"])
        notes = []
        if self.device.type == "cpu" and meta["threads"] != torch.get_num_threads():
            notes.append(f"The run was started with {meta['threads']} threads; it continues with as many.")
            torch.set_num_threads(meta["threads"])
        notes += [
            f"The run was started with {key} {then}, this is {versions().get(key)}: the weights may differ."
            for key, then in meta["versions"].items()
            if then != versions().get(key)
        ]
        return notes

    def run_step(self, plan: images.EpochPlan) -> None:
        """One batch: gather, forward, backward, update; adds to the sums of the epoch."""
        config, state = self.config, self.state
        done = state.epoch * self.n_steps + state.step
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(config, done, config.epochs * self.n_steps)
        rows = plan.order[state.step * config.batch_size : (state.step + 1) * config.batch_size]
        batch = images.standardise(images.crop_batch(self.images, rows, plan, self.size))
        labels = self.labels[rows]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
            logits = self.network(batch)
        logits = logits.float()
        loss = targets.smoothed_cross_entropy(logits, labels, config.label_smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        (loss * config.loss_factor).backward()
        if config.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), config.clip_norm)
        self.optimizer.step()
        with torch.no_grad():
            nll = nn.functional.cross_entropy(logits, labels)
            correct = (logits.argmax(1) == labels).float().mean()
            n = len(labels)
            batch_sums = torch.stack([loss.detach() * n, nll * n, correct * n, torch.full_like(nll, n)])
            state.sums += batch_sums.to(state.sums)
        state.step += 1


class Stopped(RunError):
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


def versions() -> dict[str, str]:
    """Versions that decide the bits of a result."""
    return {"penviz": penviz.__version__, "torch": torch.__version__, "python": platform.python_version()}


def machine(device: torch.device) -> dict[str, Any]:
    """What a duration was measured on: processor, device, threads, system."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "device": name,
        "threads": torch.get_num_threads(),
    }


def train(
    config: RunConfig,
    dataset: data.DataSet,
    out: Path | str,
    *,
    resume: bool = False,
    device: str = "auto",
    save_every: float = 120.0,
    validate_every: int = 1,
    report: Callable[[Progress], None] = lambda progress: None,
    say: Callable[[str], None] = lambda sentence: None,
    stopped: Callable[[], bool] = lambda: False,
    observe: Observer = lambda point: None,
    command: str = "",
) -> Path:
    """Train one run to its end, or continue one.

    Args:
        config: what to train.
        dataset: its data, in memory (learn/data.py).
        out: directory of the run; it must be new or empty unless `resume`.
        resume: continue from the state in `out`, or start when there is none yet.
        device: "auto", "cpu", "cuda", "mps", ...
        save_every: seconds between saved states within an epoch; one is saved at each epoch's end in any case.
        validate_every: epochs between evaluations of the validation split; the last epoch always has one.
        report: called a few times a second and at the end of each epoch.
        say: called with sentences a user should read.
        stopped: asked after each step; when it says yes, the state is saved and Stopped is raised.
        observe: called with the name of every point reached (tests stop the process there).
        command: the command line, kept in run.json.

    Returns:
        The directory, holding run.json and model.safetensors.

    Raises:
        RunError: a directory in use, a state of another config, or a loss that is not finite.
    """
    out = Path(out)
    used = out.is_dir() and any(out.iterdir())
    if used and not resume:
        raise RunError(f"{out} is not empty: choose another --out, or continue it with --resume.")
    out.mkdir(parents=True, exist_ok=True)
    for part in out.glob("*.part"):
        part.unlink()
    if used and _is_finished(out, config):
        (out / checkpoints.STATE_FILE).unlink(missing_ok=True)
        say(f"{out} is finished already.")
        return out
    training = Training(config, dataset, out, checkpoints.choose_device(device), observe)
    if (out / checkpoints.STATE_FILE).is_file():
        for note in training.restore():
            say(note)
    observe("start")
    _write_run(training, command, {})
    _train_epochs(training, save_every, validate_every, report, stopped, command)
    _finish(training, command)
    return out


def _is_finished(out: Path, config: RunConfig) -> bool:
    if not (out / RUN_FILE).is_file():
        return False
    run = read_run(out)
    if run.config != config:
        changed = ", ".join(run.config.differences(config))
        raise RunError(f"{out} was started with another config ({changed}): use the same, or another --out.")
    model = out / MODEL_FILE
    return bool(run.model_sha256) and model.is_file() and sha256_of(model) == run.model_sha256


def _train_epochs(
    training: Training,
    save_every: float,
    validate_every: int,
    report: Callable[[Progress], None],
    stopped: Callable[[], bool],
    command: str,
) -> None:
    config, state = training.config, training.state
    saved = told = time.monotonic()
    started, done_before = told, state.epoch * training.n_steps + state.step
    before = state.seconds
    told_sums = state.sums.clone()
    while state.epoch < config.epochs:
        training.network.train()
        n = len(training.labels)
        plan = images.plan_epoch(n, training.slack, config.flip, config.seed, state.epoch)
        plan = images.EpochPlan(*(getattr(plan, f).to(training.device) for f in plan.__dataclass_fields__))
        while state.step < training.n_steps:
            torch.manual_seed(config.seed * 1_000_003 + state.epoch * training.n_steps + state.step)
            training.run_step(plan)
            training.observe(f"step {state.epoch} {state.step}")
            now = time.monotonic()
            state.seconds = before + now - started
            if now - told > 0.5:
                sums = state.sums.tolist()
                _check_finite(sums[0], training)
                recent = (state.sums - told_sums).tolist()
                done = state.epoch * training.n_steps + state.step
                total = config.epochs * training.n_steps
                per_step = (now - started) / max(1, done - done_before)
                report(
                    Progress(
                        state.epoch + 1,
                        config.epochs,
                        state.step,
                        training.n_steps,
                        recent[0] / recent[3],
                        recent[2] / recent[3],
                        recent[3] / (now - told),
                        per_step * (total - done),
                    )
                )
                told, told_sums = now, state.sums.clone()
            if stopped():
                training.save_state()
                raise Stopped(f"Stopped; the state is saved. Continue with the same command and --resume.")
            if now - saved > save_every and state.step < training.n_steps:
                training.save_state()
                saved = time.monotonic()
        loss, nll, correct, count = state.sums.tolist()
        _check_finite(loss, training)
        line = {
            "epoch": state.epoch + 1,
            "lr": training.optimizer.param_groups[0]["lr"],
            "train_loss": loss / count,
            "train_nll": nll / count,
            "train_accuracy": correct / count,
        }
        last = state.epoch + 1 == config.epochs
        if last or (state.epoch + 1) % validate_every == 0:
            scores = evaluate.evaluate(training.network, training.dataset.splits["validation"], config.crop)
            line |= {"validation_nll": scores["nll"], "validation_accuracy": scores["accuracy"]}
        speed = count / max(1e-9, time.monotonic() - told) if told == started else 0.0
        state.history.append(line)
        state.epoch, state.step = state.epoch + 1, 0
        state.sums.zero_()
        told_sums = state.sums.clone()
        state.seconds = before + time.monotonic() - started
        training.save_state()
        _write_run(training, command, {})
        saved = told = time.monotonic()
        report(
            Progress(
                state.epoch,
                config.epochs,
                training.n_steps,
                training.n_steps,
                line["train_loss"],
                line["train_accuracy"],
                speed,
                (told - started) / (state.epoch * training.n_steps - done_before)
                * (config.epochs - state.epoch)
                * training.n_steps,
                line,
            )
        )


def _check_finite(value: float, training: Training) -> None:
    if not math.isfinite(value):
        raise RunError(
            f"The loss is no longer finite in epoch {training.state.epoch + 1}: "
            f"lower the learning rate ({training.config.lr}) or set --clip-norm."
        )


def _write_run(training: Training, command: str, extra: dict[str, Any]) -> None:
    state, config = training.state, training.config
    record: dict[str, Any] = {
        "config": config.to_json(),
        "class_names": list(training.dataset.class_names),
        "image_shape": list(training.dataset.image_shape),
        "splits": {
            name: {"n": len(split), "dataset_id": split.dataset_id}
            for name, split in training.dataset.splits.items()
        },
        "status": "finished" if extra else "training",
        "command": command,
        "versions": versions(),
        "machine": machine(training.device),
        "seconds": round(state.seconds, 1),
        "history": state.history,
    }
    write_json(training.out / RUN_FILE, record | extra)


def _finish(training: Training, command: str) -> None:
    config, out = training.config, training.out
    metrics = {
        name: evaluate.evaluate(training.network, split, config.crop)
        for name, split in training.dataset.splits.items()
    }
    model = out / MODEL_FILE
    meta = {"config": config.to_json(), "class_names": list(training.dataset.class_names)}
    checkpoints.write_tensors(model, training.network.state_dict(), meta, training.observe)
    _write_run(training, command, {"metrics": metrics, "model_sha256": sha256_of(model)})
    training.observe("run finished")
    (out / checkpoints.STATE_FILE).unlink(missing_ok=True)
