"""Students: who may teach whom, and the training of one student."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from penviz.demo import SHIPPED
from penviz.store.run_config import RunConfig, RunError
from penviz.store.runs import RUN_FILE, Run, read_run
from penviz.training import checkpoints, defaults, images
from penviz.training import train as training
from penviz.training.data_set import DataSet
from penviz.training.network import Network
from penviz.training.ranks import ALONE, Ranks
from penviz.training.train_options import DEFAULTS, TrainOptions


def student_config(teacher: Run, model: str, dataset: str = "", **chosen: Any) -> RunConfig:
    """The config of a student: its own network's recipe, the teacher's data and held-out split.

    Args:
        teacher: a finished run.
        model: network of the student.
        dataset: where the teacher's own name of the data does not say where they are.
        chosen: RunConfig fields; None means not chosen.

    Raises:
        RunError: a teacher that is not finished, or a value out of range.
    """
    dataset = dataset or teacher.config.dataset
    if dataset in SHIPPED:
        raise RunError(
            f"{dataset} has no training images: name the whole data, --dataset {SHIPPED[dataset]}."
        )
    return defaults.default_config(
        dataset,
        model,
        image_shape_of(teacher),
        **as_of(teacher, dataset),
        targets="distilled",
        teacher=teacher.name,
        teacher_sha256=teacher.model_sha256,
        **chosen,
    )


def as_of(teacher: Run, dataset: str) -> dict[str, Any]:
    """RunConfig fields in which a student must be as its teacher: which examples, and how large."""
    config = teacher.config
    return {
        "split_seed": config.held_out_seed,
        "hold_out": config.hold_out,
        "image_size": image_size(teacher, dataset),
        "data_share": config.data_share,
    }


def image_size(run: Run, dataset: str) -> int:
    """Side to which images are resized for a run, 0 for the usual one (`RunConfig.image_size`)."""
    return image_shape_of(run)[0] if run.adopted and Path(dataset).is_dir() else run.config.image_size


def image_shape_of(teacher: Run) -> tuple[int, int, int]:
    """(height, width, channels) of the stored images; RunError for a run that cannot teach."""
    if not teacher.model_sha256:
        raise RunError(f"{teacher.name} is not finished: finish it with penviz train ... --resume.")
    checkpoints.network_input(teacher)  # says what is wrong with its shape
    height, width, channels = map(int, teacher.record["image_shape"])
    return height, width, channels


def fed_to(teacher: Run) -> tuple[int, int]:
    """(height, width) of the stored pixels that reach a teacher: a crop, or the whole image."""
    height, width, _ = image_shape_of(teacher)
    crop = teacher.config.crop
    if teacher.adopted:  # where images are resized first, a crop of stored pixels would be another size
        way = teacher.record["adopted"].get("preprocessing") or {}
        crop = 0 if way.get("size") else int(way.get("crop") or 0)
    return images.input_size(height, width, crop)


def check_fit(teacher: Run, config: RunConfig, dataset: DataSet) -> None:
    """RunError with the reason when a student cannot learn from a teacher on these data."""
    image_shape_of(teacher)
    same = sorted if teacher.adopted else list  # their logits are put into the order of the data
    if same(teacher.class_names) != same(dataset.class_names):
        raise RunError(f"{teacher.name} knows other classes than {dataset.name}: choose another teacher.")
    if tuple(teacher.record["image_shape"]) != dataset.image_shape:
        raise RunError(f"{teacher.name} was trained on images of another shape than those of {dataset.name}.")
    height, width, _ = dataset.image_shape
    own, theirs = images.input_size(height, width, config.crop), fed_to(teacher)
    if own != theirs:
        crop, pad = teacher.config.crop, f" --pad {teacher.config.pad}"
        raise RunError(
            f"The student is fed {own[0]} x {own[1]} pixels and its teacher {theirs[0]} x {theirs[1]}: "
            f"give the student --crop {theirs[0] if teacher.adopted else f'{crop}{pad}'}."
        )
    if teacher.adopted and config.dataset != teacher.config.dataset:
        return  # it may teach on other data than it was measured on
    # A share of the training split is the same share of one that the other ids vouch for.
    whole = [name for name in dataset.splits if name != "train" or config.data_share == 1]
    checkpoints.check_data(teacher, dataset, whole)


def own_network(run: Run, class_names: Sequence[str]) -> Network:
    """The network of a run that penviz trained: a `checkpoints.Loader`."""
    return checkpoints.load_network(run)


def distil(
    config: RunConfig,
    dataset: DataSet,
    teacher: Run,
    out: Path | str,
    options: TrainOptions = DEFAULTS,
    *,
    load: checkpoints.Loader = own_network,
    ranks: Ranks = ALONE,
) -> Path:
    """Train a student, or continue one, as `train` does; `load` builds the teacher's network.

    Returns:
        The student's directory: a run like any other, with the targets "distilled".

    Raises:
        RunError: what `train` refuses; a teacher of other classes, images or data; or one whose weights are
            no longer those that the student was started with.
    """
    out = Path(out)
    check_fit(teacher, config, dataset)
    network = load(teacher, dataset.class_names)
    if (out / RUN_FILE).is_file():
        before = read_run(out).config
        if before.teacher_sha256 and before.teacher_sha256 != config.teacher_sha256:
            raise RunError(
                f"{out} was started with {before.teacher} as its teacher and other weights than those of "
                f"{teacher.name}: give that teacher, or another --out."
            )
    return training.train(config, dataset, out, options, teacher=network, ranks=ranks)
