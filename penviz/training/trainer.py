"""A run in the making: network, optimiser, data, and the state that is kept on disk."""

from __future__ import annotations

import contextlib
import math
import platform
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import penviz
from penviz.metrics.label_noise import given_labels
from penviz.store.run_config import RunConfig, RunError
from penviz.training import (
    checkpoints,
    data_set,
    defaults,
    distill,
    evaluate,
    images,
    models,
    pretrained,
    targets,
    zoo,
)
from penviz.training.data_set import DataSet
from penviz.training.network import Network
from penviz.training.ranks import ALONE, Ranks
from penviz.training.train_options import DEFAULTS, TrainOptions


@dataclass
class _State:
    """Everything that changes while training and is kept on disk."""

    sums: Tensor
    """Sums over the epoch so far: loss, H(q, p), correct, examples, H(u, p)."""
    largest: Tensor
    """Largest |logit| of the epoch so far."""
    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


class Training:
    """One run in the making: network, optimiser, data and state. `train` drives it.

    A batch is dealt in equal parts, to the ranks and within each to `accumulate` passes; the step is that of
    the whole batch. Batch norm sees a part at a time, and its running statistics are those of rank 0.
    """

    def __init__(
        self,
        config: RunConfig,
        dataset: DataSet,
        out: Path,
        options: TrainOptions = DEFAULTS,
        *,
        teacher: Network | None = None,
        ranks: Ranks = ALONE,
    ):
        self.options, self.ranks = options, ranks
        self.n_parts = ranks.size * options.accumulate
        if options.accumulate < 1:
            raise RunError("A batch is accumulated in at least 1 part.")
        if config.batch_size < self.n_parts:
            raise RunError(
                f"A batch of {config.batch_size} cannot be cut into {self.n_parts} parts: raise --batch-size."
            )
        dataset = data_set.first_share(dataset, config.data_share)
        self.config, self.dataset, self.out, self.observe = config, dataset, out, options.observe
        self.device = device = ranks.device(options.device)
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
        given = given_labels(train.labels, train.hashes, len(dataset.class_names), config.label_noise)
        self.labels = torch.from_numpy(given).to(device)
        n_classes = len(dataset.class_names)
        asked = targets.targets_of(config, self.labels, n_classes)
        self.objective = targets.Objective(asked, self.labels, n_classes, config.seed)
        fed = images.input_size(height, width, config.crop)
        if not config.crop and config.pad:
            raise RunError("Padding needs a crop: set one with --crop.")
        self.network = models.build(
            config.model, (channels, *fed), len(dataset.class_names), config.seed, config.dropout
        )
        if config.pretrained and not (out / checkpoints.STATE_FILE).is_file():  # else the state has them
            zoo.load_body(self.network, _pretrained_state(config), config.pretrained)
        if config.frozen:
            zoo.freeze_body(self.network)
        self.teacher = None if teacher is None else teacher.to(device).eval().requires_grad_(False)
        self.network.to(device).to(memory_format=torch.channels_last)
        self.stepped = ranks.in_step(self.network)
        # Compiled at the first step; what is saved and evaluated is the network itself.
        self.forward = torch.compile(self.stepped) if options.compiled else self.stepped
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
        self.state = _State(torch.zeros(5, dtype=exact, device=device), torch.zeros((), device=device))

    def tensors(self) -> dict[str, Tensor]:
        """Weights, buffers and momentum, by name."""
        named = {f"model.{key}": value for key, value in self.network.state_dict().items()}
        for name, parameter in self.network.named_parameters():
            buffer = self.optimizer.state.get(parameter, {}).get("momentum_buffer")
            if buffer is not None:
                named[f"momentum.{name}"] = buffer
        return named | {"sums": self.state.sums, "largest": self.state.largest}

    def save_state(self) -> None:
        """Write the state of this moment to the run's directory; all ranks come here, the first writes."""
        state = self.state
        sums, largest = self.ranks.sum(state.sums), self.ranks.largest(state.largest)
        if not self.ranks.first:
            return
        meta = {
            "config": self.config.to_json(),
            "epoch": state.epoch,
            "step": state.step,
            "seconds": state.seconds,
            "history": state.history,
            "threads": torch.get_num_threads(),
            "parts": self.n_parts,
            "compiled": self.options.compiled,
            "versions": versions(),
            "dataset_id": self.dataset.splits["train"].dataset_id,
        }
        tensors = self.tensors() | {"sums": sums, "largest": largest}
        checkpoints.write_tensors(self.out / checkpoints.STATE_FILE, tensors, meta, self.observe)

    def restore(self) -> list[str]:
        """Read the saved state and set torch's threads as they were; returns what differs, in sentences."""
        tensors, meta = checkpoints.read_tensors(self.out / checkpoints.STATE_FILE)
        if not self._same_config(meta.get("config")):
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
        unseen = float("nan") if meta["step"] else 0.0  # a state from before these were kept, within an epoch
        sums = nn.functional.pad(tensors["sums"], (0, 5 - len(tensors["sums"])), value=unseen)
        largest = tensors.get("largest", torch.tensor(unseen)).to(self.state.largest)
        self.state = _State(
            sums.to(self.state.sums), largest, meta["epoch"], meta["step"], meta["seconds"], meta["history"]
        )
        if not self.ranks.first:  # what is kept is the sum over all
            self.state.sums.zero_()
        notes = []
        before = meta.get("parts", 1)
        if before != self.n_parts:
            notes.append(
                f"The run was started with batches dealt in {before}, it continues with {self.n_parts}: "
                "with batch norm or dropout the weights differ, else by rounding."
            )
        if meta.get("compiled", False) != self.options.compiled:
            then, now = ("compiled", "not") if meta.get("compiled") else ("not compiled", "compiled")
            notes.append(f"The run was started {then}, it continues {now}: the weights differ by rounding.")
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

    def _same_config(self, saved: Any) -> bool:
        """Whether a saved config is this one; fields that it is too old to have count as their defaults."""
        try:
            return RunConfig.from_json(saved or {}) == self.config
        except RunError:
            return False

    def steps_done(self) -> int:
        """Steps since the start of the run."""
        return self.state.epoch * self.n_steps + self.state.step

    def plan(self) -> images.EpochPlan:
        """The random choices of the epoch under way."""
        config = self.config
        self.objective.start_epoch(self.state.epoch)
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
        """Entry of the history for the epoch just done; means over its examples as they were seen.

        `train_nll` is H(q, p) with the one-hot q, `train_uniform_nll` H(u, p) with the uniform u: the loss of
        label smoothing is (1 - alpha) and alpha of them. `train_logit_gap`, the true logit minus the mean of
        the wrong ones, is their difference times K / (K - 1), because ln p and the logits differ by a
        constant an example. `train_largest_logit` is the largest |logit| of any example and class.
        """
        config = self.config
        loss, nll, correct, count, uniform = self.ranks.sum(self.state.sums).tolist()
        line = {
            "epoch": self.state.epoch + 1,
            "lr": defaults.learning_rate(config, self.steps_done() - 1, config.epochs * self.n_steps),
            "train_loss": loss / count,
            "train_nll": nll / count,
            "train_accuracy": correct / count,
        }
        if math.isfinite(uniform):
            n_classes = len(self.dataset.class_names)
            line |= {
                "train_uniform_nll": uniform / count,
                "train_logit_gap": (uniform - nll) / count * n_classes / (n_classes - 1),
                "train_largest_logit": float(self.ranks.largest(self.state.largest)),
            }
        if validate:
            scores = self.scores("validation")
            self.check_finite(scores["nll"])  # the last step may have spoilt weights that no loss has seen
            line |= {"validation_nll": scores["nll"], "validation_accuracy": scores["accuracy"]}
        return line

    def scores(self, split: str) -> dict[str, float]:
        """`evaluate.evaluate` of a split, dealt to the ranks; all come here and learn the same."""
        self.ranks.take_buffers(self.network)
        return evaluate.evaluate(self.network, self.dataset.splits[split], self.config.crop, self.ranks)

    def run_step(self, plan: images.EpochPlan) -> None:
        """One batch: gather, forward, backward, update; adds to the sums of the epoch."""
        config, state = self.config, self.state
        for group in self.optimizer.param_groups:
            group["lr"] = defaults.learning_rate(config, self.steps_done(), config.epochs * self.n_steps)
        rows = plan.order[state.step * config.batch_size : (state.step + 1) * config.batch_size]
        self.optimizer.zero_grad(set_to_none=True)
        parts = rows.tensor_split(self.n_parts)
        first = self.ranks.rank * self.options.accumulate
        end = first + self.options.accumulate
        for part in range(first, end):
            last = part == end - 1
            apart = contextlib.nullcontext() if last else self.ranks.apart(self.stepped)
            with apart, _compiling() if self.options.compiled else contextlib.nullcontext():
                self._add_gradient(plan, parts[part], part)
        if config.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), config.clip_norm)
        self.optimizer.step()
        state.step += 1

    def _add_gradient(self, plan: images.EpochPlan, rows: Tensor, part: int) -> None:
        """Add a part's share of the batch's mean loss to the gradient, and its rows to the sums."""
        config, state = self.config, self.state
        # A network with dropout draws from torch's generator: the step and the part decide what.
        torch.manual_seed((config.seed * 1_000_003 + self.steps_done() + part * 2**52) % 2**63)
        pixels = images.crop_batch(self.images, rows, plan, self.size)
        batch = self.network.scaling(pixels)
        labels = self.labels[rows]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
            logits = self.forward(batch)
        logits = logits.float()
        if self.teacher is None:
            loss = self.objective(logits, rows)
        else:
            if self.teacher.scaling is not self.network.scaling:
                batch = self.teacher.scaling(pixels)
            loss = distill.loss(config, logits, labels, distill.teacher_logits(self.teacher, batch))
        # The loss is a mean over the part, and gradients are means over the ranks.
        share = len(rows) * self.ranks.size / config.batch_size
        (loss * (config.loss_factor * share)).backward()  # type: ignore[no-untyped-call,unused-ignore]
        with torch.no_grad():
            log_p = nn.functional.log_softmax(logits, dim=1)
            nll, uniform = nn.functional.nll_loss(log_p, labels), -log_p.mean()
            correct = (logits.argmax(1) == labels).float().mean()
            n = len(labels)
            one = torch.ones_like(nll)
            state.sums += torch.stack([loss.detach(), nll, correct, one, uniform]).to(state.sums) * n
            state.largest = torch.maximum(state.largest, logits.abs().amax())


@contextlib.contextmanager
def _compiling() -> Iterator[None]:
    """Within it what torch's compiler says is a RunError: it needs a C++ compiler, or Triton, at hand."""
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise
        raise RunError(
            f"torch cannot compile the network on this machine ({type(error).__name__}): leave out --compile."
        ) from error


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
