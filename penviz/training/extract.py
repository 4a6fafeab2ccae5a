"""From a trained run to what the rest of penviz reads: activations and thumbnails of its splits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from penviz.store.activations import Activations
from penviz.store.atomic_write import whole_file
from penviz.store.head import ActivationsError, Head
from penviz.store.run_config import RunError
from penviz.store.runs import (
    MODEL_FILE,
    RUN_FILE,
    Run,
    activations_path,
    sha256_of,
    thumbnails_path,
    write_json,
)
from penviz.store.write_shards import Examples
from penviz.training import checkpoints, data_set, evaluate
from penviz.training.data_set import DataSet, Split
from penviz.training.folder import ImageFiles
from penviz.training.split_files import DEFAULTS, Batch, ExtractOptions, write_split

LEAST_COLUMNS = 100
LARGEST_TILE = 48
LARGEST_WEBP = 16383
"""Pixels a side that the WebP format allows."""


def first_of_each_class(labels: NDArray[np.int64], per_class: int) -> NDArray[np.int64]:
    """Rows [m], ascending, of the first `per_class` examples of each class (all of them when it is 0).

    A split is sorted by the hashes of its pixels, so its first examples are a sample that the order of the
    source does not decide.
    """
    if per_class == 0:
        return np.arange(len(labels))
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], labels[order])
    return np.sort(order[np.arange(len(labels)) - starts < per_class])


def extract(
    run: Run,
    dataset: DataSet,
    options: ExtractOptions = DEFAULTS,
    *,
    report: Callable[[str, int, int], None] = lambda split, done, n: None,
) -> list[Path]:
    """Write the activations of splits of a finished run, and thumbnails-<split>.webp.

    Evaluation mode, no augmentation, float32, no autocast, in the split's order. All ranks come here.

    Args:
        run: a finished run of penviz.
        dataset: the data it was trained on; refused when their digest differs.
        options: what is stored.
        report: told (split, images done, n) after each batch.

    Returns:
        The activation files, or directories of shards, that this rank wrote: rank 0 all of them.

    Raises:
        RunError: an unfinished run, one that another process writes to, other data, or an unknown split.
    """
    with options.storage.ranks.alone_in(run.directory):
        return _extract(run, dataset, options, report)


def _extract(
    run: Run, dataset: DataSet, options: ExtractOptions, report: Callable[[str, int, int], None]
) -> list[Path]:
    """`extract`, its directory held."""
    splits, storage = options.splits, options.storage
    thumbnail_quality = options.thumbnail_quality
    dataset = data_set.first_share(dataset, run.config.data_share)
    network = checkpoints.load_network(run).to(storage.ranks.device(options.device))
    network.to(memory_format=torch.channels_last)  # as it was trained, and as its images lie
    digest = sha256_of(run.directory / MODEL_FILE)
    for name in splits:
        if name not in dataset.splits:
            raise RunError(f"{dataset.name} has no split {name}; it has {', '.join(dataset.splits)}.")
    checkpoints.check_data(run, dataset, splits)
    chosen = {
        name: first_of_each_class(dataset.splits[name].labels, options.per_class if name == "train" else 0)
        for name in splits
    }
    if thumbnail_quality:  # said before minutes are spent on the network
        for rows in chosen.values():
            sprite_grid(len(rows), dataset.image_shape)
    written: list[Path] = []
    sprites = dict(run.record.get("thumbnails") or {})
    for name in splits:

        def tell(done: int, n: int, name: str = name) -> None:
            report(name, done, n)

        whole = dataset.splits[name]
        rows = chosen[name]
        part = Split(whole.images[rows], whole.labels[rows], whole.indices[rows], whole.hashes[rows], "")

        def forward(batches: Sequence[slice], part: Split = part) -> Iterator[Batch]:
            return evaluate.features_of_batches(network, part, run.config.crop, batches, tell)

        weight, bias = network.head.weight.detach().cpu().numpy(), network.head.bias
        head = Head(weight, None if bias is None else bias.detach().cpu().numpy())
        examples = Examples(
            part.labels,
            part.indices,
            dataset.class_names,
            run.name,
            name,
            head,
            whole.dataset_id,
            digest,
            part.hashes,
            np.bincount(whole.labels, minlength=len(dataset.class_names)),
        )
        if thumbnail_quality and storage.ranks.first:
            sprites[name] = write_sprite(
                thumbnails_path(run.directory, name), part.images, thumbnail_quality
            ) | {"checkpoint_sha256": digest}
        elif storage.ranks.first:  # an old sprite would show other examples than are stored
            sprites.pop(name, None)
            thumbnails_path(run.directory, name).unlink(missing_ok=True)
        batches = evaluate.dealt(part, run.config.crop)
        path = write_split(run.directory, examples, batches, network.head.in_features, forward, storage)
        written += [] if path is None else [path]
    if storage.ranks.first and sprites != (run.record.get("thumbnails") or {}):
        write_json(run.directory / RUN_FILE, run.record | {"thumbnails": sprites})
    return written


def is_extracted(run: Run, splits: Sequence[str], per_class: int, thumbnails: bool = False) -> bool:
    """Whether the activations of this very model are there, no fewer than wanted, with their thumbnails.

    Args:
        run: a trained one; splits: which; per_class: training examples a class, 0 for all.
        thumbnails: whether they are wanted too.
    """
    for split in splits:
        try:
            stored = Activations.load(activations_path(run.directory, split))
        except ActivationsError:
            return False
        totals = stored.class_totals()
        wanted = totals if split != "train" or per_class == 0 else totals.clip(max=per_class)
        if stored.checkpoint_sha256 != run.model_sha256 or len(stored) < wanted.sum():
            return False
        sprite = (run.record.get("thumbnails") or {}).get(split, {})
        if thumbnails and sprite.get("checkpoint_sha256") != run.model_sha256:
            return False
    return True


def sprite_grid(n: int, image_shape: tuple[int, int, int]) -> tuple[int, int]:
    """(columns, pixels a side of a tile) of a sprite of n thumbnails; RunError when no WebP holds them."""
    side = min(LARGEST_TILE, max(image_shape[:2]))
    columns = min(n, max(LEAST_COLUMNS, math.isqrt(n - 1) + 1))
    if max(columns, -(-n // columns)) * side > LARGEST_WEBP:
        raise RunError(f"{n} thumbnails do not fit one sprite: use --per-class, or --no-thumbnails.")
    return columns, side


def write_sprite(path: Path, images: NDArray[np.uint8] | ImageFiles, quality: int) -> dict[str, int]:
    """Write thumbnails as one lossy WebP, row by row of tiles: images [n, h, w, C] uint8.

    Returns:
        {"columns", "side" (pixels), "count"}: tile i stands at row i // columns, column i % columns.
    """
    from PIL import Image

    n, height, width, channels = images.shape
    columns, side = sprite_grid(n, (height, width, channels))
    sprite = np.zeros((-(-n // columns) * side, columns * side, 3), np.uint8)
    for i, image in enumerate(images):
        tile = Image.fromarray(image if channels == 3 else image[..., 0])
        if (height, width) != (side, side):
            tile = tile.resize((side, side))
        y, x = i // columns * side, i % columns * side
        sprite[y : y + side, x : x + side] = np.asarray(tile.convert("RGB"))
    with whole_file(path) as part:
        Image.fromarray(sprite).save(part, "WEBP", quality=quality, method=6)
    return {"columns": columns, "side": side, "count": n}
