"""Whether the lines of a panel part the classes as the network itself does, for any run and its data.

    python -m tests.training.boundary_check RUN --data-dir DIR [--split validation]

The reference is a forward pass of its own over the images, in float32, that shares no code with extraction;
the identity of the plane (paper.md 1.3) is checked in float64.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from penviz.projection.build_panel import build_panel
from penviz.projection.panel import Panel
from penviz.projection.panel_options import PanelOptions
from penviz.projection.plane import Plane, boundary_sides
from penviz.store.activations import Activations
from penviz.store.runs import Run, activations_path, read_run
from penviz.training import checkpoints, data
from penviz.training.data_set import Split
from penviz.training.network import Network

TRIPLES = ((0, 1, 2), (3, 5, 4), (9, 1, 6))
PAIRS = ((0, 1), (0, 2), (1, 2))
ALL = 10**9


def standardise(images: np.ndarray, crop: int) -> np.ndarray:
    """[n, h, w, C] uint8 -> [n, C, h, w] float64: the middle of each image, by its own mean and deviation."""
    out = []
    for image in images.astype(np.float64):
        if crop:
            h, w = min(crop, image.shape[0]), min(crop, image.shape[1])
            top, left = (image.shape[0] - h) // 2, (image.shape[1] - w) // 2
            image = image[top : top + h, left : left + w]
        out.append((image - image.mean()) / max(image.std(), image.size**-0.5))
    return np.array(out).transpose(0, 3, 1, 2)


@torch.no_grad()
def forward(
    network: Network, images: np.ndarray, crop: int, dtype: torch.dtype = torch.float32
) -> tuple[np.ndarray, np.ndarray]:
    """Features [n, d] and logits [n, K] of one pass in some precision."""
    network = network.eval().to(dtype)
    seen: list[np.ndarray] = []
    handle = network.head.register_forward_pre_hook(lambda module, args: seen.append(args[0].numpy()))
    try:
        logits = [
            network(torch.from_numpy(standardise(images[i : i + 200], crop)).to(dtype)).numpy()
            for i in range(0, len(images), 200)
        ]
    finally:
        handle.remove()
        network.to(torch.float32)
    return np.concatenate(seen), np.concatenate(logits)


def winners(logits: np.ndarray, triple: tuple[int, int, int]) -> np.ndarray:
    """[n, 3]: for each pair of the triple, the position of the class with the larger logit."""
    return np.array([[i if row[triple[i]] > row[triple[j]] else j for i, j in PAIRS] for row in logits])


def moved(panel: Panel, pair: int, share: float) -> np.ndarray:
    """The boundaries with one line moved sideways by a share of the width of the axes."""
    lines = panel.boundaries.copy()
    along = lines[pair, 1] - lines[pair, 0]
    across = np.array([-along[1], along[0]]) / np.linalg.norm(along)
    lines[pair] += share * (panel.limits[1] - panel.limits[0]) * across
    return lines


@dataclass(frozen=True)
class Finding:
    """One triple in one bias mode.

    Attributes:
        n: examples compared; wrong: of 3 n sides, those that differ from the logits; drawn_wrong: likewise
            among the panel's own points; moved_wrong: the fewest wrong sides after moving a line by 1 %.
        identity: largest deviation of the logit differences from their image in the plane, float64.
    """

    triple: tuple[int, int, int]
    bias: bool
    n: int
    wrong: int
    drawn_wrong: int
    moved_wrong: int
    identity: float

    @property
    def holds(self) -> bool:
        return self.wrong == self.drawn_wrong == 0 and self.moved_wrong > 0 and self.identity < 1e-10


def check(
    run: Run,
    split: Split,
    activations: Activations,
    triples: tuple[tuple[int, int, int], ...] = TRIPLES,
) -> list[Finding]:
    """Compare the panels of some activations with the network on the images they came from."""
    assert activations.head is not None
    row_of = {int(index): row for row, index in enumerate(split.indices)}
    images = split.images[[row_of[int(index)] for index in activations.indices]]
    network = checkpoints.load_network(run)
    _, logits = forward(network, images, run.config.crop)
    features64, logits64 = forward(network, images, run.config.crop, torch.float64)
    found = []
    for triple, bias in itertools.product(triples, (True, False)):
        plane = Plane.of_head(activations.head, triple, bias)
        a, b, c = triple
        xy64 = plane.project(features64)
        differences = np.stack([logits64[:, b] - logits64[:, a], logits64[:, c] - logits64[:, a]], axis=1)
        identity = float(np.abs(xy64 @ plane.R + plane.offset - differences).max())
        panel = build_panel(activations, triple, PanelOptions(ALL, bias=bias))
        xy = plane.project(activations.features) / panel.unit  # all classes, not only the three drawn
        assert np.abs(xy[panel.rows] - panel.xy).max() < 1e-4
        expected = winners(logits, triple)
        wrong = (boundary_sides(panel.boundaries, xy) != expected).sum()
        drawn_wrong = (boundary_sides(panel.boundaries, panel.xy) != expected[panel.rows]).sum()
        moved_wrong = min(
            sum((boundary_sides(moved(panel, pair, way * 0.01), xy) != expected).sum() for way in (-1, 1))
            for pair in range(3)
        )
        found.append(Finding(triple, bias, len(xy), int(wrong), int(drawn_wrong), int(moved_wrong), identity))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--dataset", help="where the data are now, if they moved")
    parser.add_argument("--split", default="validation")
    options = parser.parse_args()
    run = read_run(options.run)
    loaded = data.load(
        options.dataset or run.config.dataset,
        seed=run.config.seed,
        n_hold_out=run.config.hold_out,
        data_dir=options.data_dir,
        image_size=run.config.image_size,
    )
    activations = Activations.load(activations_path(run.directory, options.split))
    findings = check(run, loaded.splits[options.split], activations)
    for finding in findings:
        print({**dataclasses.asdict(finding), "holds": finding.holds})
    raise SystemExit(0 if all(finding.holds for finding in findings) else 1)


if __name__ == "__main__":
    main()
