"""Keeping the features of a few examples at some epochs of a training, without touching the training."""

from __future__ import annotations

import numpy as np

from penviz.store.run_config import RunError
from penviz.store.snapshots import SPACINGS, Snapshots, snapshot_epochs, snapshots_path
from penviz.training import evaluate
from penviz.training.data_set import Split
from penviz.training.extract import first_of_each_class
from penviz.training.trainer import Training

KEPT_SPLITS = ("train", "validation")
SNAPSHOT_FILES = ("snapshots-train.npz", "snapshots-validation.npz")
SNAPSHOT_PARTS = tuple(f"{name}.part" for name in SNAPSHOT_FILES)


class SnapshotKeeper:
    """Writes snapshots-<split>.npz of a training, a file a split, anew at the end of each epoch to keep.

    The network is run in evaluation mode, without augmentation, in float32, and put back: no random number
    is drawn and no weight or buffer changes, so that a training is the same to the bit with and without.
    An epoch's snapshot is written before the state of its end. A training that is killed between the two
    comes to the same epoch again and puts an equal snapshot in its place.
    """

    def __init__(self, training: Training):
        """Check the request against what the run's directory holds.

        Args:
            training: the run, its state restored.

        Raises:
            RunError: numbers out of range, an unknown spacing, or a run that goes on and was started with
                other snapshots.
        """
        options = training.options
        n, per_class, spacing = options.snapshots, options.snapshots_per_class, options.snapshots_spacing
        if n < 0 or per_class < 1:
            raise RunError("Snapshots are of at least 0 epochs, and of at least 1 example a class.")
        if spacing not in SPACINGS:
            raise RunError(f"The spacing of snapshots must be {' or '.join(SPACINGS)}.")
        self.training, self.say = training, options.say
        self.planned = snapshot_epochs(n, training.config.last_epoch, spacing)
        self.parts = {
            name: _subset(split, per_class)
            for name, split in training.dataset.splits.items()
            if name in KEPT_SPLITS
        }
        self._check_resumed()

    def _check_resumed(self) -> None:
        """RunError unless the files hold exactly what this request had left after the epochs done."""
        out, done = self.training.out, self.training.state.epoch
        for name, part in self.parts.items():
            path = snapshots_path(out, name)
            known = Snapshots.load(path) if path.is_file() else None
            if known is None:
                if self.planned and self.planned[0] <= done:
                    raise RunError(
                        f"{out} has no {path.name} of its first {done} epochs: continue without --snapshots."
                    )
            elif known.planned != self.planned or not np.array_equal(known.indices, part.indices):
                raise RunError(
                    f"{out} was started with other snapshots (epochs "
                    f"{', '.join(map(str, known.planned))}; {len(known.labels)} examples of {name}): "
                    "continue with the same --snapshots and --snapshots-per-class."
                )

    def keep(self) -> None:
        """Take a snapshot if the epoch just done, `state.epoch`, is one to keep."""
        epoch = self.training.state.epoch
        if epoch not in self.planned:
            return
        config, network, out = self.training.config, self.training.network, self.training.out
        head = network.head
        for name, part in self.parts.items():
            features, predictions = evaluate.features_and_predictions(network, part, config.crop)
            if features.size and np.abs(features).max() > np.finfo(np.float16).max:
                self.say(f"The features of epoch {epoch} are too large for a snapshot ({name}): left out.")
                continue
            path = snapshots_path(out, name)
            # copies: on a CPU these are views of the weights that training changes
            bias = None if head.bias is None else head.bias.detach().cpu().numpy().copy()[None]
            new = Snapshots(
                np.array([epoch]),
                features[None].astype(np.float16),
                part.labels,
                part.indices,
                predictions[None],
                head.weight.detach().cpu().numpy().copy()[None],
                bias,
                self.training.dataset.class_names,
                np.bincount(
                    self.training.dataset.splits[name].labels,
                    minlength=len(self.training.dataset.class_names),
                ),
                out.resolve().name,
                name,
                self.training.dataset.splits[name].dataset_id,
                self.planned,
            )
            known = Snapshots.load(path) if path.is_file() else None
            (new if known is None else appended(known, new)).save(path)
            self.training.observe(f"{path.name} written")


def _subset(split: Split, per_class: int) -> Split:
    rows = first_of_each_class(split.labels, per_class)
    return Split(split.images[rows], split.labels[rows], split.indices[rows], split.hashes[rows], "")


def appended(known: Snapshots, new: Snapshots) -> Snapshots:
    """`known` up to the epoch of `new`, and `new`: what a kill left of that epoch and later ones goes."""
    before = known.epochs < new.epochs[0]

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(known, name)[before], getattr(new, name)])

    return Snapshots(
        joined("epochs"),
        joined("features"),
        new.labels,
        new.indices,
        joined("predictions"),
        joined("weight"),
        None if new.bias is None else joined("bias"),
        new.class_names,
        new.total,
        new.run,
        new.split,
        new.dataset_id,
        new.planned,
    )
