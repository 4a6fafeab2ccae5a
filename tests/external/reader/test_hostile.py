"""The hostile corpus: each file is refused in a sentence or reported, and no code runs."""

from __future__ import annotations

import contextlib
import json
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from external.reader.corpus import HostileFile, hostile_files
from external.reader.corpus_code import code_routes

from penviz.external.reader.images_zip import unpack_folder
from penviz.external.reader.inspection import inspect_file
from penviz.external.reader.report import FileReport, Refused
from penviz.external.reader.run_zip import unpack_run

SECONDS, MEGABYTES = 20, 160
"""What one file may cost at most: a pickle of a million opcodes takes 91 MB, and 3 to 7 s on a busy core."""

CHILD = """
import json, sys, time
from pathlib import Path
from penviz.external.reader.inspection import inspect_file

def peak():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024

for path in json.load(sys.stdin):
    with open("/proc/self/clear_refs", "w") as reset:
        reset.write("5")  # the peak begins anew: proc(5)
    before, began = peak(), time.perf_counter()
    report = inspect_file(Path(path))
    print(json.dumps([path, report.to_json(), peak() - before, time.perf_counter() - began]), flush=True)
"""


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("canary") / "canary"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, canary: Path) -> list[HostileFile]:
    return hostile_files(tmp_path_factory.mktemp("hostile"), canary)


def remove(canary: Path) -> None:
    """Take away a canary, which must be there."""
    (canary.rmdir if canary.is_dir() else canary.unlink)()


def sound_report(report: FileReport) -> None:
    """What holds for every report whatever the file."""
    assert FileReport.from_json(json.loads(json.dumps(report.to_json()))) == report
    for sentence in (report.refusal, report.advice, *report.notes):
        assert not sentence or (sentence.isprintable() and sentence[-1] in ".?" and len(sentence) < 500)
    for shown in (report.name, *report.globals, *report.extras, *report.extras.values()):
        assert shown.isprintable()
    assert not (report.refusal and report.n_parameters)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks are read from Linux's /proc")
def test_the_corpus(corpus: list[HostileFile], canary: Path) -> None:
    assert len(corpus) >= 60
    assert sum(f.label.startswith("old-") for f in corpus) >= 130  # in the form of before torch 1.6
    assert len({f.path for f in corpus}) == len(corpus)
    child = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=json.dumps([str(f.path) for f in corpus]),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert child.returncode == 0, child.stderr
    lines = [json.loads(line) for line in child.stdout.splitlines()]
    wrong, costly = [], []
    for file, (path, record, megabytes, seconds) in zip(corpus, lines, strict=True):
        assert path == str(file.path)
        report = FileReport.from_json(record)
        sound_report(report)
        if seconds > SECONDS or megabytes > MEGABYTES:
            costly.append(f"{file.label}: {megabytes:.0f} MB, {seconds:.1f} s")
        fits = report.kind in file.kind.split("|") and bool(report.refusal) == (file.expectation == "refused")
        fits = fits and bool(re.search(file.says, report.refusal))
        if not fits or {key: getattr(report, key) for key in file.fields} != file.fields:
            wrong.append(f"{file.label}: {report.kind}: {report.refusal}")
    assert wrong == []
    assert costly == []
    assert not canary.exists()


def test_every_code_route_is_dangerous_to_a_plain_reader(tmp_path: Path) -> None:
    routes = {label: code_routes(tmp_path / label)[label] for label in code_routes(tmp_path)}
    for label, data in routes.items():
        (tmp_path / f"{label}.pkl").write_bytes(data)
    child = """
import pickle, sys, time, warnings
from pathlib import Path
warnings.simplefilter("ignore")
folder = Path(sys.argv[1])
for path in folder.glob("*.pkl"):
    try:
        pickle.loads(path.read_bytes())
    except Exception:
        pass
left = time.monotonic() + 20
while time.monotonic() < left and not all(p.with_suffix("").exists() for p in folder.glob("*.pkl")):
    time.sleep(0.02)  # a program that a pickle started may still be on its way
"""
    subprocess.run([sys.executable, "-c", child, str(tmp_path)], check=True, timeout=60)
    assert [label for label in routes if not (tmp_path / label).exists()] == []


def test_other_files_are_dangerous_to_other_readers(corpus: list[HostileFile], canary: Path) -> None:
    """What this corpus refuses is not harmless: the libraries that write these kinds are caught by it."""
    paths = {f.label: f.path for f in corpus}
    routes = ("code-reduce.pt", "code-newobj.pt", "code-protocol-0.pt", "code-stack-global.pt")
    for label in (*routes, "old-code-reduce.pth", "old-code-stack-global.pth", "old-evil-machine.pth"):
        with contextlib.suppress(EOFError, TypeError):  # it ends behind the pickle that ran
            torch.load(paths[label], weights_only=False)
        remove(canary)
    np.load(paths["npy-objects.npy"], allow_pickle=True)
    remove(canary)
    with zipfile.ZipFile(paths["zip-duplicate.pt"]) as archive:  # the last of the two names wins
        pickle.loads(archive.read("archive/data.pkl"))
    remove(canary)
    hidden = paths["zip-hidden-member.pt"].read_bytes()
    assert hidden.startswith(b"PK\x03\x04")
    assert b"posix" in hidden[:200]  # who reads from the front runs it
    with zipfile.ZipFile(paths["zip-hidden-member.pt"]) as archive:
        assert b"posix" not in archive.read("archive/data.pkl")  # who reads from the back does not see it
    with zipfile.ZipFile(paths["npz-bomb.npz"]) as archive:
        assert archive.getinfo("x.npy").file_size > 600 * paths["npz-bomb.npz"].stat().st_size
    assert torch.load(paths["tensor-stride-0-small.pt"])["w"].shape == (8,)  # over a storage of four


def test_a_zip_that_is_refused_leaves_nothing(corpus: list[HostileFile], tmp_path: Path) -> None:
    zips = [f for f in corpus if f.path.suffix == ".zip" and f.expectation == "refused"]
    assert len(zips) > 15
    for unpack in (unpack_folder, unpack_run):
        for file in zips:
            with pytest.raises(Refused):
                unpack(file.path, tmp_path / "out")
            assert list(tmp_path.iterdir()) == []


def test_a_reader_that_unpickles_is_caught(
    corpus: list[HostileFile], canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "penviz.external.reader.torch_zip.read_tree", lambda data, limits, at: pickle.loads(data)
    )
    with pytest.raises(AttributeError):
        inspect_file(next(f.path for f in corpus if f.label == "code-reduce.pt"))
    assert canary.exists()
    remove(canary)
