from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from penviz.cli import application
from penviz.learn.defaults import default_config
from penviz.runs import RunConfig, read_run
from reproduction.__main__ import RESULTS, SHIPPED
from reproduction.manifest import MANIFEST, OPTIONS, ManifestError, read_manifest
from reproduction.results import read_results
from reproduction.slices import Slice, config_of, finished_run

IMAGE = {"cifar10": (32, 32, 3), "cifar100": (32, 32, 3), "digits": (8, 8, 1)}


def test_the_command_of_every_run_makes_its_config() -> None:
    """What the report prints is what `penviz train` understands, and no other run."""
    verb = typer.main.get_command(application()).commands["train"]  # type: ignore[attr-defined]
    for listed in read_manifest().runs:
        words = shlex.split(listed.command("runs"))
        assert words[:2] == ["penviz", "train"]
        given = verb.make_context("train", words[2:]).params
        chosen = {key: given[key] for key in ("label_smoothing", "seed", *OPTIONS) if key != "milestones"}
        chosen["milestones"] = tuple(given["milestones"]) if given["milestones"] else None
        shape = IMAGE[given["dataset"]]
        assert default_config(given["dataset"], given["model"], shape, **chosen) == config_of(listed, shape)
        assert (given["device"], given["threads"] or 0) == (listed.recipe.device, listed.recipe.threads)
        assert given["out"] == Path("runs") / listed.id


def test_full_recipes_are_those_of_the_paper() -> None:
    """Müller et al. 2019, appendix A: batches of 128 of 40,000 images; 64k steps; 390k for AlexNet."""
    manifest = read_manifest()
    for listed in manifest.of_tier("full"):
        config = config_of(listed, IMAGE[listed.recipe.dataset])
        steps = config.epochs * (40_000 // config.batch_size)
        wanted = 390_000 if config.model == "tutorial_alexnet" else 64_000
        assert abs(steps / wanted - 1) < 0.001
        drops = [round(m * steps, -3) for m in config.milestones]
        assert drops == ([130_000, 260_000] if wanted == 390_000 else [32_000, 48_000])
        assert (config.batch_size, config.lr, config.loss_factor) == (128, 0.1, 3.0)
        assert config.clip_norm == (0.0 if wanted == 390_000 else 1.0)
        assert config.precision == "bfloat16"


def test_order_and_references() -> None:
    manifest = read_manifest()
    for tier in ("full", "short"):
        runs = manifest.of_tier(tier)
        names = [(run.recipe.dataset, run.label_smoothing, run.seed) for run in runs[:5]]
        assert names == [("cifar100", a, 0) for a in (0, 0.1, 0.05)] + [("cifar10", a, 0) for a in (0, 0.1)]
        for place, run in enumerate(runs):
            reference = manifest.reference(run)
            if run.label_smoothing:
                assert reference is not None
                assert runs.index(reference) < place, "a hard run comes before those compared with it"
                assert (reference.seed, reference.recipe) == (run.seed, run.recipe)


def test_shipped_runs_are_taken_as_they_are(tmp_path: Path) -> None:
    work = Slice(tmp_path, SHIPPED, tmp_path / "results.csv", tmp_path)
    measured = {row["id"]: row for row in read_results(RESULTS)}
    found = [run for run in read_manifest().of_tier("short") if (SHIPPED / run.id).is_dir()]
    assert {run.id for run in found} >= {"cifar10-alexnet-hard", "cifar10-alexnet-soft"}
    for listed in found:
        run = finished_run(listed, work)
        assert run is not None
        assert measured[listed.id]["model_sha256"] == run.model_sha256
        stored = RunConfig.from_json(json.loads(measured[listed.id]["config"]))  # fields may be new since
        assert stored == read_run(SHIPPED / listed.id).config


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
    ],
)
def test_a_bad_manifest_is_refused(change: object, sentence: str, tmp_path: Path) -> None:
    record = yaml.safe_load(MANIFEST.read_text())
    change(record)  # type: ignore[operator]
    path = tmp_path / "manifest.yaml"
    path.write_text(yaml.safe_dump(record))
    with pytest.raises(ManifestError, match=sentence):
        read_manifest(path)
