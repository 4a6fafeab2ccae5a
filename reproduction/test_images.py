"""The test images that come with the package, chosen again from CIFAR-10 and CIFAR-100.

python -m reproduction.test_images --data-dir data
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from penviz import exit_codes
from penviz.cli.options import DataDir
from penviz.demo import SHIPPED, TEST_IMAGES
from penviz.training import data, shipped_images
from penviz.training.data_set import DataSet

N = 1000


def choose(dataset: DataSet, n: int = N) -> NDArray[np.int64]:
    """Rows [n] of the test split, as many of each class, class after class.

    Of each class those whose sha256(0, pixels) is smallest, whatever the order of the source. Images whose
    very pixels are in the training split too are left out: they are not unseen.
    """
    test = dataset.splits["test"]  # sorted by these hashes
    seen = np.isin(test.hashes, dataset.splits["train"].hashes)
    n_classes = len(dataset.class_names)
    per_class = [np.flatnonzero((test.labels == k) & ~seen)[: n // n_classes] for k in range(n_classes)]
    return np.concatenate(per_class)


def regenerate(
    data_dir: DataDir = Path("data"),
    out: Annotated[Path, typer.Option(help="Directory of the sheets.")] = TEST_IMAGES,
) -> None:
    """Write both sheets of test images, and their class names."""
    for name in SHIPPED.values():
        dataset = data.load_published(name, data_dir=data_dir)
        images = dataset.splits["test"].images[choose(dataset)]
        exit_codes.say(f"Wrote {shipped_images.write(images, dataset.class_names, name, out)}")


def main() -> None:
    """Run it; bad input ends with one sentence on standard error and exit status 2."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(regenerate)
    exit_codes.run(app)


if __name__ == "__main__":
    main()
