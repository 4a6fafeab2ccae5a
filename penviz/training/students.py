"""Students: who may teach whom, and the training of one student."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from penviz.store.runs import RUN_FILE, Run, RunConfig, RunError, read_run
from penviz.training import checkpoints, data, defaults, images
from penviz.training import train as training


def student_config(teacher: Run, model: str, **chosen: Any) -> RunConfig:
    """The config of a student: its own network's recipe, the teacher's data and held-out split.

    Args:
        teacher: a finished run.
        model: network of the student.
        chosen: RunConfig fields; None means not chosen.

    Raises:
        RunError: a teacher that is not finished or not trained by penviz, or a value out of range.
    """
    return defaults.default_config(
        teacher.config.dataset,
        model,
        image_shape_of(teacher),
        **as_of(teacher),
        targets="distilled",
        teacher=teacher.name,
        teacher_sha256=teacher.model_sha256,
        **chosen,
    )


def as_of(teacher: Run) -> dict[str, Any]:
    """RunConfig fields in which a student must be as its teacher: which examples, and how large."""
    config = teacher.config
    return {
        "split_seed": config.held_out_seed,
        "hold_out": config.hold_out,
        "image_size": config.image_size,
        "data_share": config.data_share,
    }


def image_shape_of(teacher: Run) -> tuple[int, int, int]:
    """(height, width, channels) of the stored images; RunError for a run that cannot teach."""
    if teacher.adopted:
        raise RunError(f"penviz did not train {teacher.name}: a teacher is a run of penviz train.")
    if not teacher.model_sha256:
        raise RunError(f"{teacher.name} is not finished: finish it with penviz train ... --resume.")
    (channels, _, _), _ = checkpoints.network_input(teacher)
    height, width = teacher.record["image_shape"][:2]
    return int(height), int(width), channels


def check_fit(teacher: Run, config: RunConfig, dataset: data.DataSet) -> None:
    """RunError with the reason when a student cannot learn from a teacher on these data."""
    image_shape_of(teacher)
    if teacher.class_names != dataset.class_names:
        raise RunError(f"{teacher.name} knows other classes than {dataset.name}: choose another teacher.")
    if tuple(teacher.record["image_shape"]) != dataset.image_shape:
        raise RunError(f"{teacher.name} was trained on images of another shape than those of {dataset.name}.")
    height, width, _ = dataset.image_shape
    own, theirs = (images.input_size(height, width, c.crop) for c in (config, teacher.config))
    if own != theirs:
        raise RunError(
            f"The student is fed {own[0]} x {own[1]} pixels and its teacher {theirs[0]} x {theirs[1]}: "
            f"give the student --crop {teacher.config.crop} --pad {teacher.config.pad}."
        )
    # A share of the training split is the same share of one that the other ids vouch for.
    whole = [name for name in dataset.splits if name != "train" or config.data_share == 1]
    checkpoints.check_data(teacher, dataset, whole)


def distil(config: RunConfig, dataset: data.DataSet, teacher: Run, out: Path | str, **options: Any) -> Path:
    """Train a student, or continue one; `options` are those of `train`.

    Returns:
        The student's directory: a run like any other, with the targets "distilled".

    Raises:
        RunError: what `train` refuses; a teacher of other classes, images or data; or one whose weights are
            no longer those that the student was started with.
    """
    out = Path(out)
    check_fit(teacher, config, dataset)
    network = checkpoints.load_network(teacher)
    if (out / RUN_FILE).is_file():
        before = read_run(out).config
        if before.teacher_sha256 and before.teacher_sha256 != config.teacher_sha256:
            raise RunError(
                f"{out} was started with {before.teacher} as its teacher and other weights than those of "
                f"{teacher.name}: give that teacher, or another --out."
            )
    return training.train(config, dataset, out, teacher=network, **options)
