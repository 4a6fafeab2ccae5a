"""Two networks of one's own to the four-panel figure: penviz against a function of the public one-call kind.

    python benchmarks/one_call.py [--pairs 5]

The best-known script for this picture is one call a panel: model, classes, loader, title, axes, device.
It is written here anew in that style: a hook on the head, an orthonormal basis of the three weight vectors by
Gram-Schmidt, then a PCA of each panel to two dimensions. Both sides start from the same two small networks,
trained on scikit-learn's digits with hard targets and with label smoothing 0.1, and write a PDF.
Times are of whole processes, imports included, in alternating pairs. Beside them stand the lines that a user
writes, and in what the picture is not the paper's: how far its plane is turned away from the plane of
the template differences, and how two panels of one network are turned or mirrored against each other.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGET = 1.5
"""Of the script's time that penviz may take: it also proves the head, and measures numbers and intervals."""

PREPARE = """
import numpy as np, torch
from sklearn.datasets import load_digits
from torch import nn
torch.set_num_threads(1)
x, y = load_digits(return_X_y=True)
x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
x, y = x[order], y[order]
for name, alpha in (("hard", 0.0), ("soft", 0.1)):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 10))
    step = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(60):
        for at in range(0, 1400, 100):
            step.zero_grad()
            nn.functional.cross_entropy(net(x[at:at+100]), y[at:at+100], label_smoothing=alpha).backward()
            step.step()
    torch.save(net.state_dict(), name + ".pt")
torch.save((x, y), "data.pt")
"""

NETWORKS = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
torch.set_num_threads(1)
def net(name):
    made = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 10))
    made.load_state_dict(torch.load(name + ".pt"))
    return made
x, y = torch.load("data.pt")
train_loader = DataLoader(TensorDataset(x[:1400], y[:1400]), 128)
val_loader = DataLoader(TensorDataset(x[1400:], y[1400:]), 128)
hard_net, soft_net = net("hard"), net("soft")
"""

OURS = """
import penviz
loaders = {"train": train_loader, "validation": val_loader}
hard = penviz.capture(hard_net, loaders, name="hard", label_smoothing=0)
soft = penviz.capture(soft_net, loaders, name="soft", label_smoothing=0.1)
penviz.compare([hard, soft], ["0", "1", "2"]).paper(venue="icml").save("ours.pdf")
"""

FUNCTION = """
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
MADE = []
def visualise(model, classes, loader, title, ax, device):
    model = model.to(device).eval()
    kept, seen = [], []
    hook = model[-1].register_forward_hook(lambda module, args, out: kept.append(args[0].cpu().numpy()))
    with torch.no_grad():
        for batch, labels in loader:
            model(batch.to(device))
            seen.append(labels.numpy())
    hook.remove()
    features, labels = np.concatenate(kept), np.concatenate(seen)
    w = model[-1].weight.detach().cpu().numpy()[list(classes)]
    basis = []
    for row in w:
        row = row - sum((row @ b) * b for b in basis)
        basis.append(row / np.linalg.norm(row))
    points = features @ np.stack(basis).T
    chosen = np.isin(labels, classes)
    centred = points[chosen] - points[chosen].mean(axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2]
    xy = centred @ directions.T
    for k, colour in zip(classes, ("tab:blue", "tab:green", "tab:red")):
        own = xy[labels[chosen] == k][:100]
        ax.scatter(own[:, 0], own[:, 1], s=4, c=colour, label=str(k))
    ax.set_title(title)
    MADE.append((w, directions @ np.stack(basis)))
"""

THEIRS = """
fig, axes = plt.subplots(2, 2, figsize=(6.75, 5.3))
visualise(hard_net, [0, 1, 2], train_loader, "train", axes[0, 0], "cpu")
visualise(hard_net, [0, 1, 2], val_loader, "validation", axes[0, 1], "cpu")
visualise(soft_net, [0, 1, 2], train_loader, "train, smoothed", axes[1, 0], "cpu")
visualise(soft_net, [0, 1, 2], val_loader, "validation, smoothed", axes[1, 1], "cpu")
axes[0, 0].legend()
fig.savefig("theirs.pdf")
"""

FAULTS = """
def turned(made):
    w, plane = made
    ours = np.linalg.qr(np.stack([w[1] - w[0], w[2] - w[0]]).T)[0].T
    return np.degrees(np.arccos(np.clip(np.linalg.svd(ours @ plane.T)[1].min(), -1, 1)))
print("angle", *(f"{turned(m):.0f}" for m in MADE))
for (w, a), (_, b) in (MADE[:2], MADE[2:]):
    r = a @ b.T
    degrees = np.degrees(np.arctan2(r[1, 0], r[0, 0]))
    print("panels", "mirrored" if np.linalg.det(r) < 0 else f"turned by {degrees:.0f} degrees")
"""


def lines(code: str) -> int:
    """Lines that hold something."""
    return sum(bool(line.strip()) for line in code.splitlines())


def seconds(code: str, place: Path) -> float:
    """Wall time of a process that runs some code."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=place, check=True, env=environment, capture_output=True)
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=5)
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        seconds(PREPARE, place)
        ours, theirs = NETWORKS + OURS, NETWORKS + FUNCTION + THEIRS
        seconds(ours, place)  # the first start of a process reads files that later ones find in memory
        taken = [(seconds(ours, place), seconds(theirs, place)) for _ in range(pairs)]
        found = subprocess.run(
            [sys.executable, "-c", theirs + FAULTS], cwd=place, check=True, capture_output=True, text=True
        ).stdout.splitlines()
    ratios = sorted(a / b for a, b in taken)
    ratio = statistics.median(ratios)
    own, call, function = lines(OURS), lines(THEIRS), lines(FUNCTION)
    print(f"lines of the user: penviz {own}, one call a panel {call} and a function of {function}")
    low, high = ratios[0], ratios[-1]
    print(
        f"time, penviz over the script: {ratio:.2f} [{low:.2f}, {high:.2f}], {pairs} pairs (aim: {TARGET:g})"
    )
    angles = found[0].split(" ", 1)[1]
    print(f"the script's planes are {angles} degrees away from that of the template differences")
    for network, line in zip(("hard", "smoothed"), found[1:], strict=True):
        print(f"{network} network, validation against train: {line.split(' ', 1)[1]}")
    return 0 if ratio <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
