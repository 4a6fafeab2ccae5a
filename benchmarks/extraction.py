"""Images a second of penviz's extraction, in memory and from a folder of JPEGs.

    python benchmarks/extraction.py [--rounds 5] [--images 2000] [--files 192]

In memory, `evaluate.features_and_predictions` on generated images of CIFAR's size against

* bare forward: the network on resident random inputs, at the batch and layout that are fastest;
* hook in a loader: torchvision's data set and transforms, a DataLoader with workers, a hook on the head,
  batches of 128 in torch's own layout, as scripts that draw this figure do it.

From generated JPEGs of 256 to 500 pixels, the same call on `ImageFiles` against the slower of

* decode only: the same reader, no network; forward only: the same call on the decoded pixels;

and against the hook in a loader. On a CPU the two share the cores; beside the ratio stands the sum of both
durations over the longer one, which is what one after the other would take, each with all cores. All arms of
a network alternate in rounds of one process. Each runs at its own best thread count of 1 and 2. Time by
processor is given for the bare forward, where no worker helps.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torchvision import transforms

from penviz.training import checkpoints, evaluate, images, models
from penviz.training.data_set import Split
from penviz.training.folder import ImageFiles, stored_batches

TARGET, FOLDER_TARGET = 0.9, 1.1
N_CLASSES = 10
MEAN, STD = images.IMAGENET
Arm = Callable[..., None]


class Stored(torch.utils.data.Dataset):
    """Pictures as a public script has them: one at a time, through torchvision's transforms."""

    def __init__(self, pictures: Any, transform: Callable[[Any], Any]):
        self.pictures, self.transform = pictures, transform

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, i: int) -> Any:
        picture = self.pictures[i]
        opened = Image.open(picture).convert("RGB") if isinstance(picture, Path) else Image.fromarray(picture)
        return self.transform(opened), 0


def hook_loop(model: str, side: int, pictures: Any, steps: list[Any], device: torch.device) -> Arm:
    scale = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    stored = Stored(pictures, transforms.Compose([*steps, *scale]))
    network = models.build(model, (3, side, side), N_CLASSES).eval().to(device)

    def run(threads: int, workers: int) -> None:
        torch.set_num_threads(threads)
        kept: list[Any] = []
        hook = network.head.register_forward_hook(lambda _, args, out: kept.append(args[0].cpu().numpy()))
        batch = 128 if side <= 64 else 32
        loader = torch.utils.data.DataLoader(
            stored, batch_size=batch, num_workers=workers, pin_memory=device.type == "cuda"
        )
        predicted = []
        with torch.no_grad():
            for x, _ in loader:
                predicted.append(network(x.to(device)).argmax(1).cpu().numpy())
        hook.remove()
        np.concatenate(kept), np.concatenate(predicted)

    return run


def bare_forward(model: str, side: int, n: int, device: torch.device) -> Arm:
    x = torch.randn(n, 3, side, side)
    nets, inputs = {}, {}
    for last in (True, False):
        layout = torch.channels_last if last else torch.contiguous_format
        nets[last] = models.build(model, (3, side, side), N_CLASSES).eval().to(device, memory_format=layout)
        inputs[last] = x.to(device).contiguous(memory_format=layout)

    def run(threads: int, batch: int, last: bool) -> None:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            for few in inputs[last].split(batch):
                nets[last](few)
        if device.type != "cpu":
            torch.accelerator.synchronize()

    return run


def extraction(model: str, side: int, stored: Any, crop: int, device: torch.device) -> Arm:
    n = len(stored)
    rows = np.arange(n)
    split = Split(stored, np.zeros(n, np.int64), rows, rows.astype(np.uint64), "generated")
    network = models.build(model, (3, side, side), N_CLASSES).eval()
    network.to(device, memory_format=torch.channels_last)

    def run(threads: int) -> None:
        torch.set_num_threads(threads)
        evaluate.features_and_predictions(network, split, crop)

    return run


def decode_only(stored: ImageFiles) -> Arm:
    def run() -> None:
        for _ in stored_batches(stored, [slice(i, i + 40) for i in range(0, len(stored), 40)]):
            pass

    return run


def write_jpegs(place: Path, n: int) -> list[Path]:
    rng = np.random.default_rng(0)
    files = []
    for i in range(n):
        width, height = (int(side) for side in rng.integers(256, 501, 2))
        rough = Image.fromarray(rng.integers(0, 256, (height // 12, width // 12, 3), dtype=np.uint8))
        files.append(place / f"{i:05}.jpg")
        rough.resize((width, height), Image.Resampling.BICUBIC).save(files[-1], quality=90)
    return files


def seconds(arm: Arm, setting: tuple[Any, ...]) -> tuple[float, float]:
    """Of one run by the clock, and by the processor's time of this process."""
    used, began = time.process_time(), time.perf_counter()
    arm(*setting)
    return time.perf_counter() - began, time.process_time() - used


def measured(
    arms: dict[str, tuple[Arm, list[tuple[Any, ...]]]], rounds: int
) -> tuple[dict[str, tuple[Any, ...]], list[dict[str, tuple[float, float]]]]:
    """The best setting of each arm, and the durations of alternating rounds."""
    chosen = {}
    for name, (arm, settings) in arms.items():
        seconds(arm, settings[0])  # the first run of all is slow
        if len(settings) == 1:
            chosen[name] = settings[0]
            continue
        trials = [{s: seconds(arm, s)[0] for s in settings} for _ in range(2)]
        chosen[name] = min(settings, key=lambda s: min(trial[s] for trial in trials))
    turns = []
    for turn in range(rounds):
        order = list(arms) if turn % 2 == 0 else list(reversed(arms))
        turns.append({name: seconds(arms[name][0], chosen[name]) for name in order})
    return chosen, turns


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):5.2f} [{min(values):.2f}, {max(values):.2f}]"


def report(
    what: str, n: int, chosen: dict[str, tuple[Any, ...]], turns: list[dict[str, tuple[float, float]]]
) -> None:
    for name, setting in chosen.items():
        speed = n / statistics.median(turn[name][0] for turn in turns)
        ratio = spread([turn[name][0] / turn["penviz"][0] for turn in turns]) if name != "penviz" else ""
        words = ", ".join(map(str, setting))
        print(f"{what:<26} {name:<18} {speed:8,.0f} img/s   {ratio:18}   {words}")


def in_memory(model: str, options: argparse.Namespace, device: torch.device) -> bool:
    side = int(models.architecture(model).recipe.get("crop", 32))
    pictures = np.random.default_rng(0).integers(0, 256, (options.images, 32, 32, 3), dtype=np.uint8)
    batches = (128, 64) if device.type == "cpu" else (2000, 500)
    crop = [transforms.CenterCrop(side)] if side < 32 else []
    arms = {
        "penviz": (extraction(model, side, pictures, side, device), [(1,), (2,)]),
        "bare forward": (
            bare_forward(model, side, options.images, device),
            list(itertools.product((1, 2), batches, (True, False))),
        ),
        "hook in a loader": (
            hook_loop(model, side, pictures, crop, device),
            list(itertools.product((1, 2), (1, 2))),
        ),
    }
    chosen, turns = measured(arms, 3 * options.rounds)  # they are short
    report(f"memory, {model}", options.images, chosen, turns)
    by_use = [turn["bare forward"][1] / turn["penviz"][1] for turn in turns]
    print(f"{f'memory, {model}':<26} bare forward, by processor time     {spread(by_use)}")
    ratio = statistics.median(turn["bare forward"][0] / turn["penviz"][0] for turn in turns)
    print(f"memory, {model}: target {TARGET} of the bare forward: {'held' if ratio >= TARGET else 'MISSED'}")
    return ratio >= TARGET


def from_files(
    model: str, side: int, files: list[Path], options: argparse.Namespace, device: torch.device
) -> bool:
    stored = ImageFiles(files, side)
    pixels = stored[:]
    steps = [transforms.Resize(side), transforms.CenterCrop(side)]
    arms = {
        "penviz": (extraction(model, side, stored, 0, device), [(1,), (2,)]),
        "forward only": (extraction(model, side, pixels, 0, device), [(1,), (2,)]),
        "decode only": (decode_only(stored), [()]),
        "hook in a loader": (
            hook_loop(model, side, files, steps, device),
            list(itertools.product((1, 2), (1, 2))),
        ),
    }
    chosen, turns = measured(arms, options.rounds)
    what = f"files, {model.removeprefix('torchvision:')} at {side}"
    report(what, len(files), chosen, turns)
    longer = [turn["penviz"][0] / max(turn["forward only"][0], turn["decode only"][0]) for turn in turns]
    held = statistics.median(longer) <= FOLDER_TARGET
    print(f"{what}: {spread(longer)} times the slower of decode only and forward only; ", end="")
    print(f"target {FOLDER_TARGET}: {'held' if held else 'MISSED'}")
    if device.type == "cpu":
        both = [(t["forward only"][0], t["decode only"][0]) for t in turns]
        print(f"{what}: {spread([sum(pair) / max(pair) for pair in both])} if each had all cores in turn")
    return held


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=2000, help="in memory")
    parser.add_argument("--files", type=int, default=192, help="JPEGs in the folder")
    parser.add_argument("--models", nargs="*", default=["tutorial_alexnet", "resnet20"])
    parser.add_argument(
        "--file-models", nargs="*", default=["torchvision:resnet18@224", "resnet20@64"], help="NAME@SIDE"
    )
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    device = checkpoints.choose_device(options.device)
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, device {device}")
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"torchvision {torchvision.__version__}, Pillow {PIL.__version__}"
    )
    r = options.rounds
    print(f"float32; {3 * r} rounds of {options.images} images in memory, {r} of {options.files} JPEGs")
    print("Speed is a median; the ratio is penviz's speed over the arm's, median [least, most]. Settings:")
    print("threads; of the bare forward threads, batch, channels last; of the loader threads, workers.")
    held = [in_memory(model, options, device) for model in options.models]
    with tempfile.TemporaryDirectory() as place:
        files = write_jpegs(Path(place), options.files)
        for word in options.file_models:
            model, _, side = word.partition("@")
            held.append(from_files(model, int(side or 224), files, options, device))
    if device.type == "cpu":
        print("Accelerator: not run, torch sees none on this machine or another device was asked for.")
    return int(not all(held))


if __name__ == "__main__":
    raise SystemExit(main())
