"""Images a second of penviz's own training step, against the usual recipe and against the bare limit.

    python benchmarks/training.py [--rounds 7] [--models tutorial_alexnet resnet20] [--precision bfloat16]

Three arms in alternating rounds of one process, the same network and batch in each; penviz and the limit
alternate step by step, the recipe has turns of several steps because of its workers:

* penviz: `Training.run_step` as `penviz train` calls it, with augmentation, schedule, clipping and history.
* usual recipe: torchvision's CIFAR10 class and transforms, a DataLoader with workers, a plain float32 loop in
  torch's own layout with the same loss, decay and clipping; its workers run in its own turns only.
* bare limit: forward, backward and update on one resident random batch, in penviz's precision and in the
  layout that is faster. It has no data, no augmentation, no clipping and no history.

The data are generated images of CIFAR's size in memory. Each arm runs with the number of threads (the recipe
with threads and workers, the limit with threads and layout) at which it was fastest in a trial before. The
share of the limit is also given by processor time, which another program on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from torch import Tensor
from torch.nn import functional as F
from torchvision import transforms

from penviz.store.run_config import RunConfig
from penviz.training import checkpoints, defaults, models
from penviz.training.data_set import DataSet, Split
from penviz.training.train_options import TrainOptions
from penviz.training.trainer import Training

N_IMAGES, SIDE, N_CLASSES, ALPHA = 20_000, 32, 10, 0.1
CPU_TARGET, DEVICE_TARGET, DEVICE_RECIPE_TARGET = 0.9, 0.8, 5.0
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


class MemoryCIFAR10(torchvision.datasets.CIFAR10):
    """torchvision's CIFAR10 on images in memory: its own `__getitem__`, no download."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transform: Callable[[Any], Any]):
        self.data, self.targets = images, labels.tolist()
        self.transform, self.target_transform = transform, None


def generated() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (N_IMAGES, SIDE, SIDE, 3), dtype=np.uint8)
    return images, rng.integers(0, N_CLASSES, N_IMAGES)


def synchronise(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize()


class Penviz:
    """`Training.run_step`, again and again over an epoch."""

    settings = tuple((threads,) for threads in (1, 2))

    def __init__(self, dataset: DataSet, config: RunConfig, device: torch.device):
        self.training = Training(config, dataset, Path("unwritten"), TrainOptions(device=str(device)))
        self.plan = self.training.plan()

    def run(self, steps: int, threads: int) -> float:
        torch.set_num_threads(threads)
        began = time.perf_counter()
        for _ in range(steps):
            if self.training.state.step == self.training.n_steps:
                self.training.state.step = 0
            self.training.run_step(self.plan)
        synchronise(self.training.device)
        return (time.perf_counter() - began) / steps


class Bare:
    """Forward, backward, update on one resident batch."""

    def __init__(self, config: RunConfig, device: torch.device, compiled: bool = False):
        self.config, self.device = config, device
        self.settings = tuple((threads, last) for threads in (1, 2) for last in (True, False))
        self.arms = {last: self._arm(last, compiled) for last in (True, False)}

    def _arm(self, last: bool, compiled: bool) -> tuple[Any, ...]:
        layout = torch.channels_last if last else torch.contiguous_format
        side, batch = self.config.crop or SIDE, self.config.batch_size
        network = models.build(self.config.model, (3, side, side), N_CLASSES).to(self.device)
        network = network.to(memory_format=layout)
        optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, nesterov=True)
        images = torch.randn(batch, 3, side, side, device=self.device).contiguous(memory_format=layout)
        labels = torch.randint(N_CLASSES, (batch,), device=self.device)
        return torch.compile(network) if compiled else network, optimizer, images, labels

    def run(self, steps: int, threads: int, last: bool) -> float:
        torch.set_num_threads(threads)
        network, optimizer, images, labels = self.arms[last]
        began = time.perf_counter()
        for _ in range(steps):
            with torch.autocast(
                self.device.type, torch.bfloat16, enabled=self.config.precision == "bfloat16"
            ):
                logits = network(images)
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(logits.float(), labels, label_smoothing=ALPHA).backward()
            optimizer.step()
        synchronise(self.device)
        return (time.perf_counter() - began) / steps


class Recipe:
    """torchvision's data set and transforms, a DataLoader with workers, a plain float32 loop."""

    settings = tuple(itertools.product((1, 2), (1, 2)))

    def __init__(self, images: np.ndarray, labels: np.ndarray, config: RunConfig, device: torch.device):
        self.config, self.device = config, device
        crop = [transforms.RandomCrop(config.crop, padding=config.pad or None)] if config.crop else []
        flip = [transforms.RandomHorizontalFlip()] if config.flip else []
        scale = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
        self.dataset = MemoryCIFAR10(images, labels, transforms.Compose([*crop, *flip, *scale]))
        side = config.crop or SIDE
        self.network = models.build(config.model, (3, side, side), N_CLASSES).to(device)
        groups = [
            {"params": self.network.decayed, "weight_decay": config.weight_decay},
            {
                "params": [
                    p for p in self.network.parameters() if all(p is not d for d in self.network.decayed)
                ]
            },
        ]
        self.optimizer = torch.optim.SGD(groups, lr=1e-4, momentum=config.momentum, nesterov=True)

    def _batches(self, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
        loader = torch.utils.data.DataLoader(
            self.dataset,
            batch_size=self.config.batch_size,
            shuffle=True,
            num_workers=workers,
            pin_memory=self.device.type == "cuda",
            drop_last=True,
        )
        return iter(loader)

    def run(self, steps: int, threads: int, workers: int) -> float:
        torch.set_num_threads(threads)
        self.network.train()
        batches, total, correct = self._batches(workers), 0.0, 0
        images, labels = next(batches)  # the start of the workers is not timed
        began = time.perf_counter()
        for _ in range(steps):
            images, labels = next(batches)
            images = images.to(self.device, non_blocking=True)
            labels = labels.to(self.device, non_blocking=True)
            self.optimizer.zero_grad()
            logits = self.network(images)
            loss = F.cross_entropy(logits, labels, label_smoothing=ALPHA) * self.config.loss_factor
            loss.backward()
            if self.config.clip_norm:
                torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_norm)
            self.optimizer.step()
            total += loss.item()
            correct += int((logits.argmax(1) == labels).sum())
        took = (time.perf_counter() - began) / steps
        del batches
        return took


def best_setting(arm: Any, steps: int) -> tuple[Any, ...]:
    """The setting of an arm with the shortest step of three trials each, after one step to warm up."""
    for setting in arm.settings:
        arm.run(1, *setting)
    trials = [{setting: arm.run(steps, *setting) for setting in arm.settings} for _ in range(3)]
    return min(arm.settings, key=lambda setting: min(trial[setting] for trial in trials))


def one_round(
    arms: dict[str, Any], settings: dict[str, tuple[Any, ...]], steps: int, turn: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds a step of every arm, and processor seconds of those without workers."""
    wall, used = dict.fromkeys(arms, 0.0), dict.fromkeys(arms, 0.0)
    alternating = [name for name in arms if name != "usual recipe"]
    for step in range(steps):
        for name in alternating if (turn + step) % 2 == 0 else reversed(alternating):
            began = time.process_time()
            wall[name] += arms[name].run(1, *settings[name]) / steps
            used[name] += (time.process_time() - began) / steps
    wall["usual recipe"] = arms["usual recipe"].run(steps, *settings["usual recipe"])
    return wall, used


def said(name: str, setting: tuple[Any, ...]) -> str:
    words = f"{setting[0]} thread{'s' * (setting[0] > 1)}"
    if name == "usual recipe":
        return f"{words}, {setting[1]} worker{'s' * (setting[1] > 1)}"
    if name.startswith("bare limit"):
        return f"{words}, {'channels last' if setting[1] else 'channels first'}"
    return words


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):5.2f} [{min(values):.2f}, {max(values):.2f}]"


def measure(model: str, options: argparse.Namespace, device: torch.device) -> bool:
    """Print the rows of one network; whether the targets are held."""
    images, labels = generated()
    split = Split(images, labels, np.arange(N_IMAGES), np.arange(N_IMAGES, dtype=np.uint64), "generated")
    names = tuple(f"class {k}" for k in range(N_CLASSES))
    dataset = DataSet("generated", {"train": split, "validation": split}, names)
    chosen = {"label_smoothing": ALPHA, "precision": options.precision}
    config = defaults.default_config("cifar10", model, dataset.image_shape, **chosen)
    arms: dict[str, Any] = {
        "penviz": Penviz(dataset, config, device),
        "usual recipe": Recipe(images, labels, config, device),
        "bare limit": Bare(config, device),
    }
    if options.compile:
        arms["bare limit, compiled"] = Bare(config, device, compiled=True)
    arms["penviz"].run(1, 1)
    steps = max(2, round(options.seconds / arms["penviz"].run(1, 1)))
    settings = {name: best_setting(arm, max(1, steps // 2)) for name, arm in arms.items()}
    both = [one_round(arms, settings, steps, turn) for turn in range(options.rounds)]
    rounds = [wall for wall, _ in both]
    speeds = {name: config.batch_size / statistics.median(r[name] for r in rounds) for name in arms}
    for name in arms:
        ratios = [r[name] / r["penviz"] for r in rounds]
        ratio = " " * 18 if name == "penviz" else spread(ratios)
        print(f"{model:<17} {name:<21} {speeds[name]:8,.0f} img/s   {ratio}   {said(name, settings[name])}")
    held = True
    if device.type == "cpu" and settings["penviz"][0] == settings["bare limit"][0]:
        by_use = spread([used["bare limit"] / used["penviz"] for _, used in both])
        print(f"{model:<17} {'bare limit, by processor time':<37} {by_use}")
    limit, recipe = ([r[name] / r["penviz"] for r in rounds] for name in ("bare limit", "usual recipe"))
    if device.type == "cpu":
        checks = {
            f"{CPU_TARGET} of the bare limit": statistics.median(limit) >= CPU_TARGET,
            "ahead of the recipe in every round": min(recipe) > 1,
        }
    else:
        checks = {
            f"{DEVICE_TARGET} of the bare limit": statistics.median(limit) >= DEVICE_TARGET,
            f"{DEVICE_RECIPE_TARGET:g} times the recipe": statistics.median(recipe) >= DEVICE_RECIPE_TARGET,
        }
        print(f"{model:<17} {speeds['penviz'] * 60 / 50_000:.1f} epochs of 50,000 images a minute")
    for words, reached in checks.items():
        print(f"{model:<17} target {words}: {'held' if reached else 'MISSED'}")
        held &= reached
    return held


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of an arm in a round, about")
    parser.add_argument("--models", nargs="+", default=["tutorial_alexnet", "resnet20", "paper_resnet56"])
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--compile", action="store_true", help="also the bare limit by torch.compile")
    options = parser.parse_args()
    device = checkpoints.choose_device(options.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, device {name}")
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"torchvision {torchvision.__version__}"
    )
    print(
        f"penviz and bare limit in {options.precision}, recipe in float32; batch of the network's recipe; "
        f"{options.rounds} rounds of about {options.seconds:g} s an arm"
    )
    print(
        "Speed is a median; the ratio is penviz's speed over the arm's, median [least, most] of the rounds."
    )
    held = [measure(model, options, device) for model in options.models]
    if device.type == "cpu":
        print("Accelerator: not run, torch sees none on this machine or another device was asked for.")
    return int(not all(held))


if __name__ == "__main__":
    raise SystemExit(main())
