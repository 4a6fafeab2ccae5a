"""`penviz.capture` beside the bare forward pass that a user would write with a hook: ratios of their speeds.

    python benchmarks/capture.py [--rounds 5] [--examples 10000] [--model resnet20]

The bare pass: evaluation mode, no gradients, a pre-hook on the head that keeps its input, the logits kept,
and both joined at the end. capture does that too, finds and proves the head, holds W h + b against every
logit, and computes the digests of all images and of the weights. Both run over one DataLoader of images in
memory, batch 256, one thread unless OMP_NUM_THREADS says otherwise; the pairs alternate in which goes first.
Where other work shares the machine, --processor-time leaves out what the processor spent on that.

Target: a median ratio of at least 0.95 (status 1 when it is missed).
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from penviz.own_code.capture import capture
from penviz.training import checkpoints, models

TARGET = 0.95
BATCH = 256


def bare(
    network: nn.Module, head: nn.Module, loader: DataLoader, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Features and logits, as a short script of one's own reads them."""
    features: list[Tensor] = []
    logits, labels = [], []
    hook = head.register_forward_pre_hook(lambda _, args: features.append(args[0].cpu()))
    network.eval()
    with torch.no_grad():
        for x, y in loader:
            logits.append(network(x.to(device)).cpu())
            labels.append(y)
    hook.remove()
    return torch.cat(features), torch.cat(logits)


def seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    work()
    return clock() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--model", default="resnet20")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--processor-time", action="store_true", help="instead of the time on the wall")
    options = parser.parse_args()
    device = checkpoints.choose_device(options.device)
    torch.manual_seed(0)
    network = models.build(options.model, (3, 32, 32), 10).to(device)
    images = torch.randn(options.examples, 3, 32, 32)
    loader = DataLoader(TensorDataset(images, torch.arange(options.examples) % 10), BATCH)

    def ours() -> object:
        return capture(network, {"validation": loader}, name="run").splits["validation"]

    def theirs() -> tuple[Tensor, Tensor]:
        return bare(network, network.head, loader, device)

    found, (features, _) = ours(), theirs()
    if not torch.equal(torch.from_numpy(found.features), features):  # type: ignore[attr-defined]
        sys.exit("capture and the hook have read other features.")
    clock = time.process_time if options.processor_time else time.perf_counter
    ratios, spans = [], []
    for i in range(options.rounds):
        arms = [("ours", ours), ("theirs", theirs)]
        took = {name: seconds(work, clock) for name, work in (arms if i % 2 else arms[::-1])}
        ratios.append(took["theirs"] / took["ours"])
        spans.append((took["theirs"], took["ours"]))
    middle = statistics.median(ratios)
    print(f"torch {torch.__version__}, {device}, {torch.get_num_threads()} thread(s), {platform.platform()}")
    print(f"{options.model}, {options.examples:,} images of 32 x 32, batch {BATCH}, {options.rounds} pairs")
    slow, fast = (statistics.median(arm) for arm in zip(*spans, strict=True))
    print(f"bare pass {slow:.2f} s, capture {fast:.2f} s {'of the processor' * options.processor_time}")
    print(f"speed of capture over the bare pass {middle:.3f} [{min(ratios):.3f}, {max(ratios):.3f}]")
    if middle < TARGET:
        sys.exit(f"Below the target of {TARGET}.")


if __name__ == "__main__":
    main()
