"""A run in the making: network, optimiser, data, and the state that is kept on disk."""

from __future__ import annotations

import math
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import penviz
from penviz.learn import checkpoints, data, defaults, evaluate, images, models, pretrained, targets, zoo
from penviz.learn.checkpoints import Observer
from penviz.runs import RunConfig, RunError


@dataclass
class _State:
    """Everything that changes while training and is kept on disk."""

    sums: Tensor
    """Sums over the epoch so far: loss, plain negative log-likelihood, correct, examples."""
    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


class Training:
    """One run in the making: network, optimiser, data and state. `train` drives it."""

    def __init__(
        self, config: RunConfig, dataset: data.DataSet, out: Path, device: torch.device, observe: Observer
    ):
        self.config, self.dataset, self.out, self.device, self.observe = config, dataset, out, device, observe
        height, width, channels = dataset.image_shape
        padded = (height + 2 * config.pad, width + 2 * config.pad)
        if config.crop > min(height, width):  # what is validated on is a crop of the bare image
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
        if config.pretrained and not (out / checkpoints.STATE_FILE).is_file():  # else the state has them
            zoo.load_body(self.network, _pretrained_state(config), config.pretrained)
        if config.frozen:
            zoo.freeze_body(self.network)
        self.network.to(device).to(memory_format=torch.channels_last)
        decayed = {id(p) for p in self.network.decayed}
        plain = [p for p in self.network.parameters() if id(p) not in decayed]
        groups = [
            {"params": self.network.decayed, "weight_decay": config.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        nesterov = config.nesterov and config.momentum > 0
        self.optimizer = torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=nesterov)
        # Kept on the device, so that adding to them does not wait for it; MPS has no float64.
        exact = torch.float32 if device.type == "mps" else torch.float64
        self.state = _State(sums=torch.zeros(4, dtype=exact, device=device))

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
        """Read the saved state and set torch's threads as they were; returns what differs, in sentences."""
        tensors, meta = checkpoints.read_tensors(self.out / checkpoints.STATE_FILE)
        if meta.get("config") != self.config.to_json():
            raise RunError(f"{self.out} holds the state of another config: use the same, or another --out.")
        if meta.get("dataset_id") != self.dataset.splits["train"].dataset_id:
            raise RunError("These are not the data that this run was started on: use the same to resume.")
        self.network.load_state_dict(
            {key.removeprefix("model."): value for key, value in tensors.items() if key.startswith("model.")}
        )
        for name, parameter in self.network.named_parameters():
            if f"momentum.{name}" in tensors:
                buffer = torch.empty_like(parameter, requires_grad=False)
                self.optimizer.state[parameter]["momentum_buffer"] = buffer.copy_(tensors[f"momentum.{name}"])
        sums = tensors["sums"].to(self.state.sums)
        self.state = _State(sums, meta["epoch"], meta["step"], meta["seconds"], meta["history"])
        notes = []
        if self.device.type == "cpu" and meta["threads"] != torch.get_num_threads():
            word = "thread" if meta["threads"] == 1 else "threads"
            notes.append(f"The run was started with {meta['threads']} {word}; it continues with as many.")
            torch.set_num_threads(meta["threads"])
        notes += [
            f"The run was started with {key} {then}, this is {versions().get(key)}: the weights may differ."
            for key, then in meta["versions"].items()
            if then != versions().get(key)
        ]
        return notes

    def steps_done(self) -> int:
        """Steps since the start of the run."""
        return self.state.epoch * self.n_steps + self.state.step

    def plan(self) -> images.EpochPlan:
        """The random choices of the epoch under way."""
        config = self.config
        plan = images.plan_epoch(len(self.labels), self.slack, config.flip, config.seed, self.state.epoch)
        return plan.to(self.device)

    def check_finite(self, *losses: float) -> None:
        """RunError with advice when the loss of this epoch, or another, is no longer a number."""
        if not all(map(math.isfinite, (float(self.state.sums[0]), *losses))):
            raise RunError(
                f"The loss is no longer finite in epoch {self.state.epoch + 1}: "
                f"lower the learning rate ({self.config.lr}) or set --clip-norm."
            )

    def line(self, validate: bool) -> dict[str, Any]:
        """Entry of the history for the epoch just done; means over its examples as they were seen."""
        loss, nll, correct, count = self.state.sums.tolist()
        line = {
            "epoch": self.state.epoch + 1,
            "lr": self.optimizer.param_groups[0]["lr"],
            "train_loss": loss / count,
            "train_nll": nll / count,
            "train_accuracy": correct / count,
        }
        if validate:
            scores = evaluate.evaluate(self.network, self.dataset.splits["validation"], self.config.crop)
            self.check_finite(scores["nll"])  # the last step may have spoilt weights that no loss has seen
            line |= {"validation_nll": scores["nll"], "validation_accuracy": scores["accuracy"]}
        return line

    def run_step(self, plan: images.EpochPlan) -> None:
        """One batch: gather, forward, backward, update; adds to the sums of the epoch."""
        config, state = self.config, self.state
        # A network with dropout draws from torch's generator: the step decides what.
        torch.manual_seed(config.seed * 1_000_003 + self.steps_done())
        for group in self.optimizer.param_groups:
            group["lr"] = defaults.learning_rate(config, self.steps_done(), config.epochs * self.n_steps)
        rows = plan.order[state.step * config.batch_size : (state.step + 1) * config.batch_size]
        batch = self.network.scaling(images.crop_batch(self.images, rows, plan, self.size))
        labels = self.labels[rows]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
            logits = self.network(batch)
        logits = logits.float()
        loss = targets.smoothed_cross_entropy(logits, labels, config.label_smoothing or 0.0)
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


def _pretrained_state(config: RunConfig) -> dict[str, Tensor]:
    """The weights that a run starts from; RunError when their file has changed since they were chosen."""
    found = pretrained.find(config.model, config.pretrained)
    if found.sha256 != config.pretrained_sha256:
        raise RunError(f"{found.path} is not the file of weights that the run was asked for.")
    return pretrained.read(found)


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
