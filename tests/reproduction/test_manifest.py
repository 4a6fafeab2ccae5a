from __future__ import annotations

import dataclasses
import json
import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from penviz.cli.main import application
from penviz.store.run_config import RunConfig
from penviz.store.runs import MODEL_FILE, Run, read_run
from penviz.training.defaults import default_config
from penviz.training.students import student_config
from reproduction.__main__ import RESULTS, SHIPPED
from reproduction.manifest import MANIFEST, OPTIONS, Listed, Manifest, ManifestError, read_manifest
from reproduction.results import read_results
from reproduction.slices import Slice, config_of, finished_run, pending

STUDENT = "check-digits-student-of-hard-T2"
IMAGE = {"cifar10": (32, 32, 3), "cifar100": (32, 32, 3), "digits": (8, 8, 1), "mnist": (28, 28, 1)}


def teacher_of(listed: Listed) -> Run | None:
    """What the teacher of a student will be when it is finished, None for a run on labels."""
    if listed.teacher is None:
        return None
    shape = IMAGE[listed.recipe.dataset]
    config, name = config_of(listed.teacher, shape), listed.teacher.id
    return Run(Path(name), name, config, {}, tuple("0123456789"), "0" * 64, {"image_shape": list(shape)})


def test_the_command_of_every_run_makes_its_config() -> None:
    """What the report prints is what `penviz train` or `penviz distill` understands, and no other run."""
    verbs = typer.main.get_command(application()).commands  # type: ignore[attr-defined]
    for listed in read_manifest().runs:
        words, shape, teacher = shlex.split(listed.command("runs")), IMAGE[listed.recipe.dataset], None
        name = "train" if listed.teacher is None else "distill"
        assert words[:2] == ["penviz", name]
        given = verbs[name].make_context(name, words[2:]).params
        chosen = {key: given[key] for key in ("seed", *OPTIONS) if key != "milestones"}
        chosen["milestones"] = tuple(given["milestones"]) if given["milestones"] else None
        if listed.teacher is None:
            chosen["label_smoothing"] = given["label_smoothing"]
            made = default_config(given["dataset"], given["model"], shape, **chosen)
            assert given["erasure"] == listed.recipe.erasure
            assert given["snapshots"] == listed.recipe.snapshots
            assert not listed.recipe.snapshots or given["snapshots_spacing"] == "log"
        else:
            teacher = teacher_of(listed)
            assert teacher is not None
            assert given["runs"][0] == str(Path("runs") / listed.teacher.id)
            made = student_config(teacher, given["runs"][1], temperature=given["temperature"], **chosen)
        assert made == config_of(listed, shape, teacher)
        assert (given["device"], given["threads"] or 0) == (listed.recipe.device, listed.recipe.threads)
        assert given["validate_every"] == listed.recipe.validate_every
        assert given["out"] == Path("runs") / listed.id


def test_every_teacher_past_its_fit_has_the_same_students() -> None:
    """Digits and MNIST, five seeds: each teacher at three temperatures, and the student alone."""
    runs = read_manifest().of_tier("long")
    for data in ("digits", "mnist"):
        own = [run for run in runs if run.recipe.name == f"long-{data}-student"]
        taught = {(t.label_smoothing, run.temperature, t.seed, run.seed) for run in own if (t := run.teacher)}
        assert taught == {(a, heat, s, s) for a in (0, 0.1) for heat in (1, 2, 4) for s in range(5)}
        alone = {(run.label_smoothing, run.seed) for run in own if not run.teacher}
        assert alone == {(a, s) for a in (0, 0.1) for s in range(5)}
        assert len(own) == 40
        past_fit = [run.id for run in runs if run.recipe.name in ("long-digits-teacher", "long-mnist-fc1200")]
        teaching = {run.teacher.id for run in own if run.teacher}
        assert teaching == {name for name in past_fit if name.startswith(data)}


def test_full_recipes_are_those_of_the_paper() -> None:
    """Müller et al. 2019, appendix A: batches of 128 of 40,000 images; 64k steps; 390k for AlexNet."""
    manifest = read_manifest()
    for listed in manifest.of_tier("full"):
        config = config_of(listed, IMAGE[listed.recipe.dataset], teacher_of(listed))
        steps = config.epochs * (40_000 // config.batch_size)
        wanted = 390_000 if config.model == "tutorial_alexnet" else 64_000
        assert abs(steps / wanted - 1) < 0.001
        drops = [round(m * steps, -3) for m in config.milestones]
        assert drops == ([130_000, 260_000] if wanted == 390_000 else [32_000, 48_000])
        assert (config.batch_size, config.lr, config.loss_factor) == (128, 0.1, 3.0)
        assert config.clip_norm == (0.0 if wanted == 390_000 else 1.0)
        assert config.precision == "bfloat16"


def test_students_are_those_of_figure_5() -> None:
    """Müller et al. 2019, figure 5: six alphas of teachers, temperatures of the hard ones, five seeds."""
    runs = [run for run in read_manifest().of_tier("full") if run.recipe.name == "full-cifar10-student"]
    alphas = (0, 0.15, 0.3, 0.45, 0.6, 0.75)
    wanted = [(0, t) for t in (1, 2, 3, 4, 8, 12, 16)] + [(alpha, 1) for alpha in alphas[1:]]
    for seed in range(5):
        own = [run for run in runs if run.seed == seed]
        taught = [(run.teacher, run.temperature) for run in own if run.teacher]
        assert [(t.label_smoothing, heat) for t, heat in taught] == wanted
        assert {t.seed for t, _ in taught} == {seed}
        assert [run.label_smoothing for run in own if not run.teacher] == list(alphas)


@pytest.mark.parametrize("tier", ["full", "long", "short", "digits"])
def test_a_student_sees_what_its_teacher_sees(tier: str) -> None:
    """Else the network refuses the batch, after the teacher has been trained; alone it sees the same."""
    for listed in read_manifest().of_tier(tier):
        teacher = teacher_of(listed)
        if teacher is not None:
            config = config_of(listed, IMAGE[listed.recipe.dataset], teacher)
            assert (config.crop, config.pad) == (teacher.config.crop, teacher.config.pad)
            assert config.held_out_seed == teacher.config.held_out_seed


def test_order_and_references() -> None:
    manifest = read_manifest()
    for tier in ("full", "long", "short"):
        runs = manifest.of_tier(tier)
        names = [(run.recipe.dataset, run.label_smoothing, run.seed) for run in runs[:5]]
        first = [("cifar100", a, 0) for a in (0, 0.1, 0.05)] + [("cifar10", a, 0) for a in (0, 0.1)]
        if tier == "long":
            names, first = names[:4], [("digits", a, seed) for seed in (0, 1) for a in (0, 0.1)]
        assert names == first
        for place, run in enumerate(runs):
            reference = manifest.reference(run)
            if run.label_smoothing:
                assert reference is not None
                assert runs.index(reference) < place, "a hard run comes before those compared with it"
                assert (reference.seed, reference.recipe) == (run.seed, run.recipe)


def test_shipped_runs_are_taken_as_they_are(tmp_path: Path) -> None:
    work = Slice(tmp_path, SHIPPED, tmp_path / "results.csv", tmp_path)
    measured = {row["id"]: row for row in read_results(RESULTS)}
    tiers = [run for tier in ("long", "short") for run in read_manifest().of_tier(tier)]
    found = [run for run in tiers if (SHIPPED / run.id).is_dir()]
    assert {run.id for run in found} >= {"cifar10-alexnet-hard", "cifar10-alexnet-soft", "digits-fc800-hard"}
    for listed in found:
        run = read_run(SHIPPED / listed.id)
        assert (finished_run(listed, work) is None) == (not (run.directory / MODEL_FILE).is_file())
        assert measured[listed.id]["model_sha256"] == run.model_sha256
        assert len(run.record["history"]) == listed.recipe.options["epochs"], "a gate that was not reached"
        stored = RunConfig.from_json(json.loads(measured[listed.id]["config"]))  # fields may be new since
        assert stored == run.config


def test_to_follow_the_information_makes_no_measured_run_another(tmp_path: Path) -> None:
    """A table from before the column was there, and runs trained without it, stay as they are."""
    manifest = read_manifest()
    plain = manifest.recipes["short-cifar10-alexnet"]
    followed = dataclasses.replace(plain, erasure=("airplane", "dog"))
    own = {run.id: run for run in manifest.runs if run.recipe == plain}
    runs = [dataclasses.replace(run, recipe=followed) if run.id in own else run for run in manifest.runs]
    changed = Manifest(manifest.recipes, tuple(runs))
    left = [[run.id for run in pending(one, "short", RESULTS)] for one in (manifest, changed)]
    assert left[0] == left[1]
    assert "cifar10-alexnet-hard" not in left[1]
    hard = next(run for run in runs if run.id == "cifar10-alexnet-hard")
    assert finished_run(hard, Slice(tmp_path, SHIPPED, tmp_path / "results.csv", tmp_path)) is not None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda r: r["runs"].append(r["runs"][0]), "Several runs are called"),
        (lambda r: r["runs"][0].update(recipe="none"), "has no known recipe"),
        (lambda r: r["runs"][0].update(colour="red"), "Unknown key"),
        (lambda r: r["runs"][0].pop("seed"), "A key is missing"),
        (lambda r: r["recipes"]["digits-fc800"].update(tier="huge"), "the tier is one of"),
        (lambda r: r["recipes"]["digits-fc800"]["options"].update(speed=3), "unknown options: speed"),
        (lambda r: r["recipes"]["digits-fc800"].update(triples=[[0, 0, 1]]), "triples of different classes"),
        (lambda r: r.pop("runs"), "lists recipes and runs"),
        (lambda r: r["recipes"]["digits-fc800"].update(erasure=["0"]), "the names of two classes"),
        (lambda r: r["recipes"]["digits-fc800"].update(erasure=["1", "1"]), "the names of two classes"),
        (lambda r: r["runs"][0].pop("label_smoothing"), "needs a label smoothing, or a teacher"),
        (lambda r: r["runs"][-1].update(label_smoothing=0.1), "needs a label smoothing, or a teacher"),
        (lambda r: r["runs"][-1].pop("temperature"), "needs a label smoothing, or a teacher and a temp"),
        (lambda r: r["runs"][0].update(temperature=2), "needs a label smoothing, or a teacher"),
        (lambda r: r["runs"][-1].update(teacher="nobody"), "a teacher that is no run above it"),
        (lambda r: r["runs"][-1].update(teacher="cifar10-alexnet-hard"), "has another tier"),
        (lambda r: r["runs"].append({**r["runs"][-1], "id": "x", "teacher": STUDENT}), "a student itself"),
        (lambda r: r["recipes"]["digits-student"].update(dataset="mnist"), "has another dataset"),
        (lambda r: r["recipes"]["digits-student"].update(snapshots=3), "its recipe has no snapshots"),
        (lambda r: r["recipes"]["digits-fc800"].update(snapshots=-1), "snapshots are a number of epochs"),
        (lambda r: r["recipes"]["digits-fc800"].update(splits=["train"]), "splits are train, validation"),
        (lambda r: r["recipes"]["digits-fc800"].update(arc=["0", "1", "1"]), "the names of three classes"),
        (lambda r: r["recipes"]["digits-student"].update(erasure=["0", "1"]), "its recipe has no erasure"),
    ],
)
def test_a_bad_manifest_is_refused(change: object, sentence: str, tmp_path: Path) -> None:
    record = yaml.safe_load(MANIFEST.read_text())
    change(record)  # type: ignore[operator]
    path = tmp_path / "manifest.yaml"
    path.write_text(yaml.safe_dump(record))
    with pytest.raises(ManifestError, match=sentence):
        read_manifest(path)


def test_long_runs_go_past_the_fit_and_are_filmed_on_a_log_scale() -> None:
    """A pair of every recipe of the long tier, five seeds on digits; the sweep has the six alphas."""
    runs = [
        run for run in read_manifest().of_tier("long") if not re.search("student|teacher", run.purposes[0])
    ]
    for name in {run.recipe.name for run in runs}:
        own = [run for run in runs if run.recipe.name == name]
        assert {0, 0.1} <= {run.label_smoothing for run in own if run.seed == 0}
        assert own[0].recipe.snapshots >= 15
    digits = [run for run in runs if run.recipe.dataset == "digits"]
    assert {(run.label_smoothing, run.seed) for run in digits} == {(a, s) for a in (0, 0.1) for s in range(5)}
    sweep = [run for run in runs if run.recipe.name == "long-cifar10-sweep" and run.seed == 0]
    assert [run.label_smoothing for run in sweep] == [0, 0.05, 0.1, 0.2, 0.4, 0.6]
