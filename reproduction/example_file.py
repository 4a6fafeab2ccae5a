"""The checkpoint behind "Try an example": a shipped network in a file as others write them.

    python -m reproduction.example_file

The weights are those of checkpoints/cifar10-alexnet-hard in half precision, under `state_dict` and beside the
accuracy on the test split, as training scripts save them. Nothing in the file says that penviz trained it.
"""

from __future__ import annotations

from pathlib import Path

import torch

from penviz.demo import EXAMPLE
from penviz.store.atomic_write import whole_file
from penviz.store.runs import MODEL_FILE, read_run
from penviz.training.checkpoints import read_tensors

RUN = Path("checkpoints") / EXAMPLE.stem


def main() -> None:
    """Write the file."""
    tensors, _ = read_tensors(RUN / MODEL_FILE)
    weights = {key: tensor.half() for key, tensor in tensors.items()}
    accuracy = 100 * read_run(RUN).metrics["test"]["accuracy"]
    EXAMPLE.parent.mkdir(exist_ok=True)
    with whole_file(EXAMPLE) as part:
        torch.save({"state_dict": weights, "test_acc": round(accuracy, 2)}, part)


if __name__ == "__main__":
    main()
