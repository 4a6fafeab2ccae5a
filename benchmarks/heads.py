"""Which heads are proved: every torchvision classifier, and a small model of every timm family.

Random weights, 10 classes, three random images of the usual size. A head counts as proved when `prove_head`
accepts it; what it then claims is checked here on fresh images, by numpy in float64: W h + b against the
network's own output. A claim that fails counts as wrong, and the exit status is 1.

    python benchmarks/heads.py [--only torchvision|timm] [--lines results.jsonl]

Results (torch 2.14.1, torchvision 0.29.1, timm 1.0.31):

| networks | examined | proved | of these 1x1 convolutions | refused | not run | wrong |
|---|---|---|---|---|---|---|
| torchvision | 80 | 78 (98 %) | 0 | 2 | 0 | 0 |
| timm | 94 | 85 (90 %) | 3 | 9 | 0 | 0 |

Refused are torchvision's two SqueezeNets (ReLU and pooling after the last convolution), and of timm, with
two heads or more: crossvit_tiny_240, deit_tiny_distilled_patch16_224, efficientformer_l1,
efficientformerv2_s0, efficientvim_m1, levit_384_s8, repvit_m0_9, swiftformer_xs, volo_d1_224.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from penviz import InputError
from penviz.external.evidence import head, outputs
from penviz.external.networks import architectures

MOST_PARAMETERS = 120_000_000
LARGEST_SIDE = 512
CLASSES = 10
SMALL = (
    "atto",
    "femto",
    "pico",
    "nano",
    "xxs",
    "_xs",
    "tiny",
    "mini",
    "_t0",
    "_m0",
    "_b0",
    "_s0",
    "050",
    "small",
)
SMALL += ("lite", "_s_", "_s", "18", "26", "_b1", "_m1", "base")
"""How libraries call their small models, the smallest first."""


def torchvision_names() -> list[str]:
    from torchvision import models

    return [f"torchvision:{name}" for name in models.list_models(module=models)]


def timm_names() -> list[str]:
    """Of each family the first of those that are called smallest."""
    import timm

    def size(name: str) -> int:
        return next((i for i, word in enumerate(SMALL) if word in name), len(SMALL))

    chosen = []
    for family in timm.list_modules():
        for name in sorted(timm.list_models(module=family), key=size):
            known = timm.get_pretrained_cfg(name)
            if known is not None and known.input_size[-1] > LARGEST_SIDE:
                continue
            shapes = architectures.network_shapes(f"timm:{name}", CLASSES)
            if sum(math.prod(shape) for shape in shapes.values()) <= MOST_PARAMETERS:
                chosen.append(f"timm:{name}")
                break
    return chosen


def fill_zeros(network: nn.Module, generator: torch.Generator) -> None:
    """Give matrices that start at zero (heads, residual gates) random values: zero logits prove nothing."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim >= 2 and not parameter.any():
                parameter.normal_(0, 0.05, generator=generator)


def settle(network: nn.Module, images: Tensor) -> None:
    """Give batch norm the statistics of some images.

    With the initial ones the signal of many networks dies out in evaluation mode: every image gets the same
    scores, which prove nothing.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network.train()(images)
    network.eval()


def claim_error(network: nn.Module, proof: head.HeadProof, images: Tensor) -> float:
    """Norm of W h + b - logits on fresh images relative to the spread of the logits."""
    with torch.no_grad():
        logits = outputs.output_of(network(images)).double().numpy()
    features = head.features_of(network, proof, images).double().numpy()
    made = features @ proof.head.weight.astype(float).T
    made = made if proof.head.bias is None else made + proof.head.bias.astype(float)
    spread = logits - logits.mean(1, keepdims=True)
    return float(np.linalg.norm(made - logits) / np.linalg.norm(spread))


def examine(name: str) -> dict[str, object]:
    """Build, prove and check one network: {"name", "outcome", ...}."""
    generator = torch.Generator().manual_seed(0)
    started = time.monotonic()
    try:
        network = architectures.build(name, CLASSES)
        fill_zeros(network, generator)
        shape = architectures.input_shape(name, network)
        images = torch.randn(3, *shape, generator=generator)
        settle(network, images)
        found = head.prove_head(network, images)
    except InputError as error:
        return {"name": name, "outcome": "not run", "why": str(error)}
    record: dict[str, object] = {"name": name, "side": shape[-1], **found.to_json()}
    if isinstance(found, head.NoHead):
        record["outcome"] = "refused"
        record["width"] = head.features_of(network, found, images).shape[1]
    else:
        error = claim_error(network, found, torch.randn(3, *shape, generator=generator))
        record |= {"outcome": "proved" if error < 1e-3 else "WRONG", "fresh": error}
    return record | {"seconds": round(time.monotonic() - started, 2)}


def table(records: list[dict[str, object]]) -> str:
    """Counts by origin, then every refusal with its reason."""
    lines = ["| networks | examined | proved | of these 1x1 convolutions | refused | not run | wrong |"]
    lines.append("|---|---|---|---|---|---|---|")
    for origin in ("torchvision", "timm"):
        own = [r for r in records if str(r["name"]).startswith(f"{origin}:")]
        if not own:
            continue
        counts = [sum(r["outcome"] == o for r in own) for o in ("proved", "refused", "not run", "WRONG")]
        convolutions = sum(r.get("kind") == "1x1 convolution" for r in own)
        share = f"{counts[0]} ({100 * counts[0] / len(own):.0f} %)"
        lines.append(
            f"| {origin} | {len(own)} | {share} | {convolutions} | {counts[1]} | {counts[2]} | {counts[3]} |"
        )
    lines.append("")
    for record in records:
        if record["outcome"] in ("refused", "not run", "WRONG"):
            why = record.get("sentence") or record.get("why") or f"off by {record.get('fresh')}"
            lines.append(f"* {record['name']}, {record['outcome']}: {why}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=["torchvision", "timm"])
    parser.add_argument(
        "--lines", type=Path, help="A line of JSON a network; those in it are not done again."
    )
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    names = [] if chosen.only == "timm" else torchvision_names()
    names += [] if chosen.only == "torchvision" else timm_names()
    records = []
    if chosen.lines and chosen.lines.is_file():
        records = [json.loads(line) for line in chosen.lines.read_text(encoding="utf-8").splitlines()]
    done = {record["name"] for record in records}
    for name in names:
        if name in done:
            continue
        records.append(examine(name))
        line = json.dumps(records[-1])
        print(line, file=sys.stderr, flush=True)
        if chosen.lines:
            with open(chosen.lines, "a", encoding="utf-8") as file:
                file.write(line + "\n")
        gc.collect()
    print(table(records))
    return int(any(record["outcome"] == "WRONG" for record in records))


if __name__ == "__main__":
    sys.exit(main())
