"""From a checkpoint to the picture: `penviz extract` and `penviz figure` against a script of the public kind.

    python benchmarks/checkpoint_to_picture.py [--pairs 3] [--images 50000 10000] [--models tutorial_alexnet]

Both start from the same weights and the same generated images, as many and as large as those of CIFAR, in one
.npz, run all images of
train and validation through the network once, and draw the same number of points of three classes of both
splits as PDF. The script loads, loops over a DataLoader with workers and a hook on the head, makes a basis by
numpy's QR and draws matplotlib scatters. Times are of whole processes, imports included, in alternating
pairs; penviz takes two processes. It does more in them (digests, numbers with intervals, provenance), but
writes no thumbnails here, which the script has not either. Each side runs with one or two threads, whichever
was faster in a trial with fewer images.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

TARGET, POINTS, N_CLASSES, SIDE = 3.0, 250, 10, 32

SCRIPT = """
import sys
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from penviz.training import models

MODEL, CROP, THREADS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(THREADS)

class Pictures(Dataset):
    def __init__(self, images, labels, transform):
        self.images, self.labels, self.transform = images, labels, transform
    def __len__(self):
        return len(self.images)
    def __getitem__(self, i):
        return self.transform(Image.fromarray(self.images[i])), self.labels[i]

class Standardise:
    def __call__(self, x):
        return (x - x.mean()) / x.std()

if __name__ == "__main__":
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = models.build(MODEL, (3, CROP, CROP), 10).to(device)
    model.load_state_dict(torch.load("weights.pt", map_location=device))
    model.eval()
    stored = np.load("pictures.npz")
    transform = transforms.Compose([transforms.CenterCrop(CROP), transforms.ToTensor(), Standardise()])
    kept = []
    model.head.register_forward_hook(lambda module, args, out: kept.append(args[0].cpu().numpy()))
    features, labels = {}, {}
    for split in ("train", "test"):
        data = Pictures(stored["x_" + split], stored["y_" + split], transform)
        loader = DataLoader(data, batch_size=128, shuffle=False, num_workers=2)
        kept.clear()
        seen = []
        with torch.no_grad():
            for x, y in loader:
                model(x.to(device))
                seen.append(y.numpy())
        features[split], labels[split] = np.concatenate(kept), np.concatenate(seen)
    w = model.head.weight.detach().cpu().numpy()[:3]
    basis, _ = np.linalg.qr(np.stack([w[1] - w[0], w[2] - w[0]]).T)
    figure, axes = plt.subplots(1, 2, figsize=(5.5, 2.8))
    for axis, split in zip(axes, features):
        for k, colour in enumerate(("tab:blue", "tab:green", "tab:red")):
            xy = features[split][labels[split] == k][:POINTS] @ basis
            axis.scatter(xy[:, 0], xy[:, 1], s=4, c=colour, label=str(k))
        axis.set_title(split)
    axes[0].legend()
    plt.savefig("theirs.pdf")
"""


def prepare(place: Path, model: str, sizes: dict[str, int]) -> int:
    """Images, weights, a finished run and the script; gives the side of the crop."""
    import torch

    from penviz.store.runs import MODEL_FILE, RUN_FILE, sha256_of, write_json
    from penviz.training import checkpoints, data, defaults, models

    rng = np.random.default_rng(0)
    parts = {}
    for part, n in sizes.items():
        parts[f"x_{part}"] = rng.integers(0, 256, (n, SIDE, SIDE, 3), dtype=np.uint8)
        parts[f"y_{part}"] = rng.permutation(n) % N_CLASSES
    np.savez(place / "pictures.npz", class_names=[f"class {k}" for k in range(N_CLASSES)], **parts)
    pictures = str(place / "pictures.npz")
    dataset = data.load(pictures)
    config = defaults.default_config(pictures, model, dataset.image_shape, label_smoothing=0.0)
    crop = min(config.crop or SIDE, SIDE)
    network = models.build(model, (3, crop, crop), N_CLASSES)
    torch.save(network.state_dict(), place / "weights.pt")
    run = place / "run"
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir()
    checkpoints.write_tensors(run / MODEL_FILE, network.state_dict(), {"config": config.to_json()})
    splits = {name: {"n": len(s), "dataset_id": s.dataset_id} for name, s in dataset.splits.items()}
    record = {
        "config": config.to_json(),
        "class_names": list(dataset.class_names),
        "image_shape": list(dataset.image_shape),
        "splits": splits,
        "status": "finished",
        "model_sha256": sha256_of(run / MODEL_FILE),
        "metrics": {},
        "history": [],
    }
    write_json(run / RUN_FILE, record)
    (place / "script.py").write_text(SCRIPT.replace("POINTS", str(POINTS)))
    return crop


def run_all(commands: list[list[str]], place: Path, threads: int) -> list[float]:
    """Seconds of each command, one after the other, in processes of their own."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    took = []
    for command in commands:
        began = time.perf_counter()
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
        took.append(time.perf_counter() - began)
        if done.returncode:
            raise SystemExit(f"{' '.join(command[:6])} failed: {done.stderr[-2000:]}")
    return took


def sides(model: str, crop: int, threads: int) -> dict[str, list[list[str]]]:
    penviz = [sys.executable, "-m", "penviz"]
    return {
        "penviz": [
            [*penviz, "extract", "run", "--per-class", "0", "--no-thumbnails", "--threads", str(threads)],
            [*penviz, "figure", "run", "--out", "ours.pdf", "--per-class", str(POINTS)],
        ],
        "script": [[sys.executable, "script.py", model, str(crop), str(threads)]],
    }


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):6.2f} [{min(values):.2f}, {max(values):.2f}]"


def measure(model: str, options: argparse.Namespace) -> bool:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        threads, best = {}, {}
        crop = prepare(place, model, dict.fromkeys(("train", "test"), options.images[1]))
        for side in ("penviz", "script"):
            trials = {t: sum(run_all(sides(model, crop, t)[side], place, t)) for t in (1, 2)}
            threads[side] = min(trials, key=lambda t: trials[t])
        prepare(place, model, dict(zip(("train", "test"), options.images, strict=True)))
        for side in threads:
            best[side] = sides(model, crop, threads[side])[side]
        pairs = []
        for pair in range(options.pairs):
            order = ("penviz", "script") if pair % 2 == 0 else ("script", "penviz")
            pairs.append({side: run_all(best[side], place, threads[side]) for side in order})
        for made in ("ours.pdf", "theirs.pdf"):
            if not (place / made).is_file():
                raise SystemExit(f"{made} was not drawn.")
    rows = {
        "penviz extract, s": [p["penviz"][0] for p in pairs],
        "penviz figure, s": [p["penviz"][1] for p in pairs],
        "penviz, s": [sum(p["penviz"]) for p in pairs],
        "script, s": [sum(p["script"]) for p in pairs],
        "script / penviz": [sum(p["script"]) / sum(p["penviz"]) for p in pairs],
    }
    for words, values in rows.items():
        print(f"{model:<17} {words:<18} {spread(values)}")
    held = statistics.median(rows["script / penviz"]) >= TARGET
    said = ", ".join(f"{side} {t}" for side, t in threads.items())
    print(f"{model:<17} target {TARGET:g} times: {'held' if held else 'MISSED'}   (threads: {said})")
    return held


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--images", type=int, nargs=2, default=[50_000, 10_000], help="of train and of test")
    parser.add_argument("--models", nargs="+", default=["tutorial_alexnet", "resnet20"])
    options = parser.parse_args()
    names = ("torch", "torchvision", "matplotlib", "numpy")
    packages = ", ".join(f"{name} {version(name)}" for name in names)
    print(f"{platform.platform()}, {os.cpu_count()} CPUs; Python {platform.python_version()}, {packages}")
    train, test = options.images
    print(f"{train} and {test} images, {options.pairs} alternating pairs; median [least, most]")
    held = [measure(model, options) for model in options.models]
    return int(not all(held))


if __name__ == "__main__":
    raise SystemExit(main())
