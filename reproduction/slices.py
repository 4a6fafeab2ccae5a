"""One slice of work: the next unfinished run is trained, extracted and measured, as far as the time goes.

Every stage leaves files that are whole or absent, so that a slice may end anywhere, by SIGKILL too, and the
next one goes on from there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from penviz.store.directory_lock import locked
from penviz.store.run_config import RunConfig, RunError
from penviz.store.runs import MODEL_FILE, RUN_FILE, Run, read_run, sha256_of
from reproduction.manifest import Listed, Manifest
from reproduction.results import append_results, read_results


@dataclass
class Slice:
    """Where the work lies, and how much time there is.

    Attributes:
        out: directory of the runs; shipped: another one, where finished runs are looked for too.
        results: results.csv; data_dir: as for `penviz train`.
        deadline: of `time.monotonic`; stopped: whether the user asked to stop; progress: bar, json or none.
        say: told sentences for the user.
    """

    out: Path
    shipped: Path
    results: Path
    data_dir: Path
    deadline: float = float("inf")
    stopped: Callable[[], bool] = lambda: False
    progress: str = "bar"
    say: Callable[[str], None] = field(default=lambda sentence: None)

    def over(self) -> bool:
        """The time is up, or the user wants to stop."""
        return self.stopped() or time.monotonic() >= self.deadline


def pending(manifest: Manifest, tier: str, results: Path) -> list[Listed]:
    """Runs of a tier that results.csv lacks, in the manifest's order.

    Raises:
        RunError: a run was measured with another recipe than the manifest has now.
    """
    measured = {row["id"]: json.loads(row["config"]) for row in read_results(results)}
    left = []
    for run in manifest.of_tier(tier):
        if run.id not in measured:
            left.append(run)
            continue
        config = measured[run.id]
        wanted = {**run.options, "teacher": run.teacher.id} if run.teacher else run.options
        changed = [key for key, value in wanted.items() if config.get(key) != value]
        if changed:
            raise RunError(
                f"{results} has {run.id} with another {', '.join(changed)} than the manifest: "
                "give the new run another id."
            )
    return left


def take_next(manifest: Manifest, tier: str, work: Slice, only: str | None = None) -> bool:
    """Work on the first unfinished run that no other process works on.

    Returns:
        Whether there was anything to do; False too where others hold all that is left.
    """
    left = pending(manifest, tier, work.results)
    if not left:
        return False
    waiting = {run.id for run in left}
    for listed in left:
        if only is not None and listed.id != only:
            continue
        if listed.teacher is not None and finished_run(listed.teacher, work) is None:
            if listed.teacher.id not in waiting:
                work.say(
                    f"{listed.id}: its teacher {listed.teacher.id} is measured, but its run is not here."
                )
            continue
        directory = work.out / listed.id
        directory.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            try:
                held.enter_context(locked(directory))
            except RunError:  # another process works on it
                continue
            if listed.id not in {run.id for run in pending(manifest, tier, work.results)}:
                continue
            finished = finished_run(listed, work)
            # The change from the hard run stands in the soft run's row, and what a teacher says in its
            # student's: the other run is measured first.
            others = (manifest.reference(listed), listed.teacher)
            waits = any(other is not None and other.id in waiting for other in others)
            if waits and finished is not None and _is_extracted(finished, listed):
                continue
            _work_on(manifest, listed, finished, waits, work)
            return True
    return False


def _work_on(manifest: Manifest, listed: Listed, run: Run | None, waits: bool, work: Slice) -> None:
    if run is None:
        run = _train(listed, work)
    else:
        work.say(f"{listed.id}: {run.directory} is finished, it is not trained again.")
    if run is None or work.over():
        return
    if not _is_extracted(run, listed):
        _extract(listed, run, work)
    if waits or work.over():
        return
    from reproduction.information import measure_information
    from reproduction.measurement import measure, summarise

    reference = manifest.reference(listed)
    hard = None if reference is None else finished_run(reference, work)
    if reference is not None and (hard is None or not _is_extracted(hard, reference)):
        work.say(f"{listed.id}: the activations of {reference.id} are not here, so no change is measured.")
        hard = None
    rows = measure(
        listed,
        run,
        None if hard is None else summarise(hard),
        listed.command("runs"),
        teacher=teacher_of(listed, work),
        information=measure_information(listed, run, work.data_dir),
    )
    append_results(work.results, rows)
    scores = ", ".join(f"{row['split']} accuracy {row['accuracy']:.4f}" for row in rows)
    work.say(f"{listed.id}: measured ({scores}).")


def config_of(listed: Listed, image_shape: tuple[int, int, int], teacher: Run | None = None) -> RunConfig:
    """The config that `penviz train` would make of a run's options, or `penviz distill` of a student's."""
    recipe = listed.recipe
    if teacher is not None:
        from penviz.training.students import student_config

        return student_config(teacher, recipe.model, **listed.options)
    from penviz.training.defaults import default_config

    return default_config(recipe.dataset, recipe.model, image_shape, **listed.options)


def teacher_of(listed: Listed, work: Slice) -> Run | None:
    """The finished run that a student learns from, None for a run on labels and where it is not finished."""
    return None if listed.teacher is None else finished_run(listed.teacher, work)


def finished_run(listed: Listed, work: Slice) -> Run | None:
    """The finished run of an entry, in the out directory or among the shipped ones, None where there is none.

    A student is compared with what its teacher makes of it, so it is not found where that is not. A copy that
    was shipped without its weights (ship.py) cannot be gone on with, and is passed over.

    Raises:
        RunError: a run of that name with another config, or with another model than it says.
    """
    teacher = teacher_of(listed, work)
    if listed.teacher is not None and teacher is None:
        return None
    for place in (work.out / listed.id, work.shipped / listed.id):
        if not (place / RUN_FILE).is_file():
            continue
        run = read_run(place)
        if run.record.get("status") != "finished" or "weights" in (run.record.get("thinned") or {}):
            continue
        height, width, channels = run.record["image_shape"]
        changed = run.config.differences(config_of(listed, (height, width, channels), teacher))
        if changed:
            raise RunError(f"{place} has another config than the manifest ({', '.join(changed)}).")
        model = place / MODEL_FILE
        if not model.is_file() or sha256_of(model) != run.model_sha256:
            raise RunError(f"{place} lacks the model that its run.json describes: copy or train it again.")
        return run
    return None


def _train(listed: Listed, work: Slice) -> Run | None:
    """Train or distil to the end, or to the end of the slice: then None."""
    import torch

    from penviz.cli import terminal
    from penviz.training import data, erasure, students, train
    from penviz.training.progress import Stopped
    from penviz.training.train_options import TrainOptions

    recipe, teacher = listed.recipe, teacher_of(listed, work)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    seed = listed.seed if teacher is None else teacher.config.held_out_seed
    loaded = data.load(recipe.dataset, seed=seed, data_dir=work.data_dir)
    config = config_of(listed, loaded.image_shape, teacher)
    taught = "" if teacher is None else f" with {teacher.name} as its teacher"
    work.say(f"{listed.id}: training{taught}, {config.epochs} epochs.")
    try:
        with terminal.TrainingProgress(work.progress) as report:
            options = TrainOptions(
                resume=True,
                device=recipe.device,
                save_every=60,
                validate_every=recipe.validate_every,
                compiled=recipe.compiled,
                report=report,
                say=work.say,
                stopped=work.over,
                command=listed.command("runs"),
            )
            if teacher is not None:
                students.distil(config, loaded, teacher, work.out / listed.id, options)
            else:
                pair = recipe.erasure and erasure.class_pair(loaded.class_names, recipe.erasure)
                options = replace(options, snapshots=recipe.snapshots, snapshots_spacing="log", erasure=pair)
                train.train(config, loaded, work.out / listed.id, options)
    except Stopped:
        work.say(f"{listed.id}: stopped, its state is saved; the same command goes on with it.")
        return None
    return read_run(work.out / listed.id)


def _is_extracted(run: Run, listed: Listed) -> bool:
    from penviz.training.extract import is_extracted  # torch, which a finished tier does without

    return is_extracted(run, listed.recipe.splits, listed.recipe.per_class)


def _extract(listed: Listed, run: Run, work: Slice) -> None:
    from penviz.cli import terminal
    from penviz.training import data, extract, split_files

    recipe = listed.recipe
    loaded = data.load(recipe.dataset, seed=run.config.held_out_seed, data_dir=work.data_dir)
    with terminal.ExtractionProgress(work.progress) as report:
        options = split_files.ExtractOptions(tuple(recipe.splits), recipe.per_class, device=recipe.device)
        extract.extract(run, loaded, options, report=report)
