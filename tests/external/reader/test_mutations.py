"""Two thousand random mutations of sound files: each gives a report, in bounded memory, and no code runs."""

from __future__ import annotations

import io
import random
import tracemalloc
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePath

import numpy as np
import pytest
import torch
from external.reader.corpus_code import code_routes
from external.reader.small_files import (
    Part,
    head_safetensors,
    image_folder,
    network,
    png,
    torch_zip,
    zip_bytes,
)
from external.reader.test_hostile import sound_report
from safetensors.torch import save

from penviz.external.reader.inspection import inspect_file
from penviz.external.reader.limits import Limits

N = 2000
LIMITS = Limits(pickle_bytes=2**20, n_opcodes=50_000, header_bytes=2**18)
"""Tighter than the default, so that a claim costs what it may cost at most in less time."""

PEAK_BYTES = 64 * 2**20


Wrap = Callable[[bytes], bytes]


def sound_files(canary: Path) -> dict[str, tuple[bytes, Wrap]]:
    """What to mutate, and what makes a file of it: whole files, and what lies inside under a right checksum.

    The files are written by the libraries that usually write them; beside them stand pickles that run code.
    """
    state = {"fc.weight": torch.randn(3, 4), "fc.bias": torch.zeros(3), "half": torch.ones(5).bfloat16()}
    files: dict[str, bytes] = {"small.pt": network(3), "small.safetensors": head_safetensors(3)}
    checkpoint = {"model": state, "epoch": 3, "best": np.float64(0.5), "tags": ["a", {"b": (1, 2.5)}]}
    for protocol in (2, 4):
        torch.save(checkpoint, out := io.BytesIO(), pickle_protocol=protocol)
        files[f"torch-{protocol}.pt"] = out.getvalue()
    torch.save(state, out := io.BytesIO(), _use_new_zipfile_serialization=False)
    files["old.pth"] = out.getvalue()
    files["torch.safetensors"] = save(state)
    arrays = {"features": np.ones((4, 3), "<f4"), "labels": np.arange(4), "class_names": np.array(["a", "b"])}
    np.savez(out := io.BytesIO(), **arrays)
    files["stored.npz"] = out.getvalue()
    np.savez_compressed(out := io.BytesIO(), **arrays)
    files["deflated.npz"] = out.getvalue()
    np.save(out := io.BytesIO(), arrays["features"])
    files["array.npy"] = out.getvalue()
    files["images.zip"] = image_folder()
    files["table.csv"] = b"a,b,label\n" + b"0.5,1.5,cat\n" * 20
    files["model.onnx"] = b"\x08\x09\x12\x05torch\x3a\x10" + bytes(16)
    inside: dict[str, tuple[bytes, Wrap]] = {}
    for label in ("torch-2.pt", "torch-4.pt"):
        with zipfile.ZipFile(io.BytesIO(files[label])) as archive:
            found = {PurePath(n).name: archive.read(n) for n in archive.namelist() if "/data/" in n}
            inside[f"inside-{label}"] = (archive.read("archive/data.pkl"), partial(torch_zip, storages=found))
    for label in ("reduce", "newobj", "stack-global", "build"):
        inside[f"code-{label}.pt"] = (code_routes(canary)[label], partial(torch_zip, storages={"0": b"abcd"}))
    inside["inside.npz"] = (files["array.npy"], lambda data: zip_bytes(Part("a.npy", data, deflate=True)))
    inside["inside.zip"] = (png(), lambda data: image_folder(**{"train/cat/x.png": data}))
    return {label: (data, bytes) for label, data in files.items()} | inside


def mutated(data: bytes, dice: random.Random) -> bytes:
    """A few changes: bits, bytes, cuts, copies and numbers at their limits; most in the head or tail."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4, 16))):
        n = len(changed)
        if n < 2:
            break
        near = dice.random()
        at = dice.randrange(min(n, 200)) if near < 0.3 else n - 1 - dice.randrange(min(n, 200))
        at = dice.randrange(n) if near > 0.6 else at
        length = dice.choice((1, 2, 4, 8, 30))
        what = dice.randrange(7)
        if what == 0:
            changed[at] ^= 1 << dice.randrange(8)
        elif what == 1:
            changed[at : at + length] = dice.randbytes(length)
        elif what == 2:
            del changed[at : at + length]
        elif what == 3:
            other = dice.randrange(n)
            changed[at:at] = changed[other : other + length]
        elif what == 4:
            changed[at : at + 4] = dice.choice(
                (b"\xff\xff\xff\xff", bytes(4), b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80")
            )
        elif what == 5:
            changed[at] = dice.choice(b"(.0]}cioRbtuase\x80\x81\x85\x93\x95\x94Qq{:,-9")
        else:
            del changed[at:]
    return bytes(changed)


def test_every_mutation_gives_a_report(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    sound = sound_files(canary)
    dice = random.Random(20_250_721)
    refused = sentences = 0
    seen = set()
    tracemalloc.start()
    try:
        for i in range(N):
            label = sorted(sound)[i % len(sound)]
            path = tmp_path / "file"
            data, wrap = sound[label]
            path.write_bytes(wrap(mutated(data, dice)))
            try:
                report = inspect_file(path, name=label, limits=LIMITS)
            except Exception as error:
                error.add_note(f"mutation {i} of {label}")
                raise
            sound_report(report)
            refused += bool(report.refusal)
            seen.add(report.refusal)
            assert not (label.startswith("code-") and report.tensors), f"mutation {i} of {label} passes"
        sentences = len(seen)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert not canary.exists()
    assert peak < PEAK_BYTES
    assert 0.5 * N < refused < N  # some changes do no harm: the mutations are not all rubbish
    assert sentences > 60  # and they reach deep: many different reasons


def test_a_planted_fault_is_found_by_the_mutations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one check taken out, such mutations end in an error of Python."""
    monkeypatch.setattr("penviz.external.reader.pickle_tree._Walker.text", lambda self, raw: raw.decode())
    data, wrap = sound_files(tmp_path / "canary")["inside-torch-2.pt"]
    dice = random.Random(1)
    paths = [tmp_path / str(i) for i in range(200)]
    for path in paths:
        path.write_bytes(wrap(mutated(data, dice)))
    with pytest.raises(UnicodeDecodeError):
        _ = [inspect_file(path, limits=LIMITS) for path in paths]
