"""Which precision and memory layout train fastest: ratios, in alternating rounds of one process.

    python benchmarks/training_step.py [--rounds 7] [--models tutorial_alexnet resnet20] [--compile]

Reference: float32 in torch's default layout. Steps are whole (forward, backward, update) on resident random
images of the size that the recipe feeds, batch 128, one thread unless OMP_NUM_THREADS says otherwise.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch.nn import functional as F

from penviz.training import checkpoints, models

BATCH = 128


def make_step(
    model: str, device: torch.device, bfloat16: bool, last: bool, compiled: bool
) -> Callable[[], None]:
    """One training step of a fresh network."""
    side = int(models.architecture(model).recipe.get("crop", 32))
    layout = torch.channels_last if last else torch.contiguous_format
    network = models.build(model, (3, side, side), 10).to(device).to(memory_format=layout)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, nesterov=True)
    generator = torch.Generator().manual_seed(0)
    images = (
        torch.randn(BATCH, 3, side, side, generator=generator).to(device).contiguous(memory_format=layout)
    )
    labels = torch.randint(10, (BATCH,), generator=generator).to(device)
    forward = torch.compile(network) if compiled else network

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            logits = forward(images)
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    return step


def seconds(step: Callable[[], None], device: torch.device, repeats: int) -> float:
    """Mean duration of a step."""
    start = time.perf_counter()
    for _ in range(repeats):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / repeats


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--models", nargs="+", default=["tutorial_alexnet", "resnet20", "paper_resnet56"])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--compile", action="store_true", help="also torch.compile of the fastest layout")
    options = parser.parse_args()
    device = checkpoints.choose_device(options.device)
    arms = {
        "float32": (False, False, False),
        "float32, channels last": (False, True, False),
        "bfloat16": (True, False, False),
        "bfloat16, channels last": (True, True, False),
    }
    if options.compile:
        arms["bfloat16, channels last, compiled"] = (True, True, True)
    print(f"torch {torch.__version__}, {device}, {torch.get_num_threads()} thread(s), {platform.platform()}")
    print(f"batch {BATCH}; {options.rounds} rounds; speed relative to float32, median [least, most]")
    for model in options.models:
        steps = {arm: make_step(model, device, *flags) for arm, flags in arms.items()}
        for step in steps.values():
            seconds(step, device, 2)
        rounds = [
            {arm: seconds(s, device, options.repeats) for arm, s in steps.items()}
            for _ in range(options.rounds)
        ]
        for arm in arms:
            ratios = [r["float32"] / r[arm] for r in rounds]
            speed = BATCH / statistics.median(r[arm] for r in rounds)
            middle = statistics.median(ratios)
            spread = f"[{min(ratios):.2f}, {max(ratios):.2f}]"
            print(f"{model:<17} {arm:<34} {middle:5.2f} {spread}  {speed:7,.0f} img/s")


if __name__ == "__main__":
    main()
