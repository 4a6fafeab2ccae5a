"""Words and files that are nearly right, or of no use: what the command line makes of them."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from small_runs import make_run

from penviz import InputError
from penviz.did_you_mean import did_you_mean
from penviz.external.importing.arrays import adopt_arrays
from penviz.external.reader.inspection import inspect_file
from penviz.external.reader.report_text import report_text
from penviz.store.run_config import RunError
from penviz.store.runs import RUN_FILE, read_run

if TYPE_CHECKING:
    from conftest import Verb


def test_a_word_that_is_like_another_is_found_and_no_other() -> None:
    known = ("digits", "cifar10", "cifar100", "reliability", "airplane")
    likes = {"digitz": "digits", "cifar-10": "cifar10", "relibility": "reliability", "Airplane": "airplane"}
    for word, meant in likes.items():
        assert did_you_mean(word, known) == f" (did you mean {meant}?)"
    for word in ("", "nothing", "7", 12):
        assert did_you_mean(word, known) == ""


MISTYPED = {
    "data set": (("train", "digitz", "fc800", "--out", "x"), "digits"),
    "network": (("train", "digits", "fc80", "--out", "x"), "fc800"),
    "torchvision's network": (("train", "digits", "torchvision:resnet1", "--out", "x"), "resnet18"),
    "figure": (("figure", "hard", "--figure", "relibility", "--out", "f.pdf"), "reliability"),
    "option of a figure": (
        ("figure", "hard", "--figure", "reliability", "--option", "spilt=train", "--out", "f.pdf"),
        "split",
    ),
    "run": (("measure", "hrad"), "hard"),
    "class": (("measure", "hard", "--classes", "cat", "dog", "shipp"), "ship"),
    "split": (("calibrate", "hard", "--split", "validaton"), "validation"),
    "venue": (("figure", "hard", "--out", "f.pdf", "--venue", "neurip"), "neurips"),
    "scale": (("figure", "hard", "--out", "f.pdf", "--scale", "distanse"), "distance"),
    "view": (("figure", "hard", "--out", "f.pdf", "--view", "umpa"), "umap"),
    "mark": (("figure", "hard", "--out", "f.pdf", "--hide", "shadings"), "shading"),
}


@pytest.mark.parametrize("what", MISTYPED)
def test_a_mistyped_word_gets_a_suggestion(
    what: str, penviz: Verb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path, "hard")
    words, meant = MISTYPED[what]
    status, _, said = penviz(*words)
    assert status == 2
    assert f"(did you mean {meant}?)" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("calibrate", "hard", "--split", "validation", "--split", "train"),
        ("measure", "hard", "--find", "most-confused", "--split", "train", "--split", "validation"),
        ("train", "digits", "fc800", "--out", "x", "--epochs", "1", "--epochs", "2"),
        ("figure", "hard", "--out", "f.pdf", "--seed", "1", "--seed", "2"),
    ],
)
def test_an_option_of_one_value_is_given_once(words: tuple[str, ...], penviz: Verb, tmp_path: Path) -> None:
    status, _, said = penviz(*words)
    assert (status, said.count("\n")) == (2, 1)
    assert "is given 2 times" in said


def test_an_option_that_may_be_repeated_still_is(penviz: Verb, tmp_path: Path) -> None:
    run = make_run(tmp_path, "hard")
    splits = ("--split", "train", "--split", "validation")
    assert penviz("figure", run, *splits, "--out", tmp_path / "f.svg").status == 0
    status, _, said = penviz("figure", run, *splits[2:], *splits[:2], "--out", tmp_path / "g.svg")
    assert status == 2
    assert "Columns stand in the order train, validation" in said


def test_a_device_is_no_file_to_be_read(penviz: Verb, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "x")
    for words, said in (
        (("extract", "/dev/zero", *out), "/dev/zero is neither a file nor a directory"),
        (("measure", "/dev/zero"), "/dev/zero is not the directory of a run"),
        (("train", "digits", "torchvision:resnet18", "--weights", "/dev/zero", *out), "no file of weights"),
        (
            ("train", "digits", "torchvision:resnet18", "--weights", "no.pth", *out),
            "no file of weights no.pth",
        ),
        (("train", "digits", "fc800", "--weights", "no.pth", *out), "no file of weights no.pth"),
        (("train", "digits", "fc800", "--weights", __file__, *out), "fc800 starts from no file of weights"),
    ):
        status, _, heard = penviz(*words)
        assert status == 2
        assert said in heard
    from penviz.training.class_names import read_class_names

    with pytest.raises(RunError, match="no list of class names"):
        read_class_names("/dev/zero")


# Numbers that are none.


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("place", ["history", "metrics", "adopted"])
def test_a_record_of_numbers_that_are_none_is_refused(word: str, place: str, tmp_path: Path) -> None:
    run = make_run(tmp_path, "hard")
    record = json.loads((run / RUN_FILE).read_text())
    record[place] = {"history": [{"epoch": 1, "loss": "?"}], "metrics": {"train": {"nll": "?"}}}.get(
        place, {"accuracy": {"measured": "?"}}
    )
    (run / RUN_FILE).write_text(json.dumps(record).replace('"?"', word))
    with pytest.raises(RunError, match="holds NaN or infinity"):
        read_run(run)


def test_a_whole_number_without_end_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path, "hard")
    record = json.loads((run / RUN_FILE).read_text())
    (run / RUN_FILE).write_text(json.dumps(record | {"seconds": 10**400}))
    with pytest.raises(RunError, match="wrong type"):
        read_run(run)


@pytest.mark.parametrize("value", [1e300, -1e39, np.nan, np.inf])
@pytest.mark.parametrize("key", ["features", "weight", "bias"])
def test_arrays_beyond_float32_are_one_sentence_without_a_warning(
    key: str, value: float, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    arrays = {"features": rng.normal(size=(30, 4)), "labels": np.arange(30) % 3}
    arrays |= {"weight": rng.normal(size=(3, 4)), "bias": rng.normal(size=3)}
    arrays[key].flat[0] = value
    np.savez(tmp_path / "a.npz", **arrays)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match=f"{key} holds NaN or infinity, or numbers beyond float32"):
            adopt_arrays({"train": tmp_path / "a.npz"}, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_one_thing_is_said_of_one_thing(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", features=np.ones((1, 1), np.float32), labels=np.zeros(1, int))
    assert "Activations of 1 example in 1 dimension." in report_text(inspect_file(tmp_path / "a.npz"), [])


# Ctrl-C.


def test_a_stopped_command_says_so(penviz: Verb, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stopped(path: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("penviz.figures.open_study.read_runs", stopped)
    status, _, said = penviz("measure", tmp_path)
    assert status == 130
    assert said.strip().startswith("Stopped: every file that was written is whole")


def test_ctrl_c_on_a_verb_that_reads_ends_in_a_sentence(tmp_path: Path) -> None:
    code = "import signal, time\nfrom penviz.cli import main as cli\n"
    code += "from penviz.external.reader import inspection\n"
    code += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a job in the background ignores it
    code += "inspection.inspect_file = lambda path: (signal.raise_signal(signal.SIGINT), time.sleep(9))\n"
    code += "cli.main()\n"
    done = subprocess.run(
        [sys.executable, "-c", code, "inspect", str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 130, done.stderr
    assert done.stderr.strip().startswith("Stopped: ")
    assert "Traceback" not in done.stderr
