"""Files of before torch 1.6: read bit for bit as torch reads them, and nothing of them is run."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import torch
from external.reader.small_files import floats, mapping, number, old_torch, pickled, tensor, text
from external.reader.test_torch_zip import DTYPES, network, same_as_torch
from torch import nn

from penviz.external.reader.inspection import inspect_file, read_contents


def save(content: object, path: Path, protocol: int = 2) -> None:
    """Write the old form with torch itself."""
    torch.save(content, path, _use_new_zipfile_serialization=False, pickle_protocol=protocol)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_checkpoint(tmp_path: Path, protocol: int) -> None:
    state = dict(network().state_dict())
    wrapped = {"net": {f"module.{key}": value for key, value in state.items()}, "acc": 92.9, "epoch": 3}
    save(wrapped, tmp_path / "a.pth", protocol)
    report = same_as_torch(tmp_path / "a.pth", state)
    assert report.kind == "legacy torch file"
    assert (report.wrapper, report.prefix) == (("net",), "module.")
    assert report.extras == {"acc": "92.9", "epoch": "3"}
    assert any("checksums" in note for note in report.notes)


def test_dtypes_views_and_odd_shapes(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(1)
    old = [d for d in DTYPES if d not in (torch.uint16, torch.uint32) and "float8" not in str(d)]
    tensors = {str(d): torch.randint(0, 2, (2, 3), generator=generator).to(d) for d in old}
    base = torch.randn(6, 8, generator=generator)
    tensors |= {"transposed": base.T, "part": base[1:4, ::2], "scalar": torch.tensor(2.5)}
    tensors |= {"empty": torch.zeros(0, 4), "parameter": nn.Parameter(base[0])}
    save(tensors, tmp_path / "a.pth")
    same_as_torch(tmp_path / "a.pth", tensors)


def test_views_of_storages_are_read_as_torch_reads_them(tmp_path: Path) -> None:
    """torch 0.x wrote parts of a storage; torch of today reads them and writes them no more."""
    parts = {}
    for i, (offset, n) in enumerate(((0, 2), (3, 1), (2, 4))):
        view = b"(" + text(f"view{i}") + number(offset) + number(n) + b"ttQ"
        parts[f"w{i}"] = tensor("0", (n,), n=6).replace(b"tQ", view, 1)
    storage = struct.pack("<6f", *range(6))
    path = tmp_path / "a.pth"
    path.write_bytes(old_torch(pickled(mapping(parts)), {"0": storage}).replace(b"tNtQ", b"ttQ"))
    expected = torch.load(path, weights_only=True)
    assert [value.tolist() for value in expected.values()] == [[0, 1], [3], [2, 3, 4, 5]]
    same_as_torch(path, expected)


def test_a_whole_module_is_refused_by_its_classes(tmp_path: Path) -> None:
    """torch named the class of a module by a reference of its own, with the source code beside it."""
    save({"net": network(), "acc": 91.0}, tmp_path / "a.pth")
    report = inspect_file(tmp_path / "a.pth")
    assert report.refusal.startswith("This file holds a whole pickled module")
    assert "torch.nn.modules.conv.Conv2d" in report.globals
    assert report.lines[2] == (
        f'weights = torch.load({str(tmp_path / "a.pth")!r}, map_location="cpu", weights_only=False)'
        '["net"].state_dict()'
    )


def test_a_file_that_does_not_end_with_its_last_storage(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    save(network().state_dict(), path)
    whole = path.read_bytes()
    for content in (whole[:-1], whole[: len(whole) // 2], whole + b"\0"):
        path.write_bytes(content)
        assert inspect_file(path).refusal
    path.write_bytes(whole)
    assert not inspect_file(path).refusal


def test_a_pickle_longer_than_the_limit_is_said_to_be_that(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(old_torch(pickled(b"B" + struct.pack("<I", 2**20) + bytes(2**20) + b"0}") * 20))
    assert "longer than" not in inspect_file(path).refusal  # twenty pickles, each short
    long = b"(" + (b"B" + struct.pack("<I", 2**20) + bytes(2**20)) * 20 + b"t"
    path.write_bytes(old_torch(pickled(long)))
    assert inspect_file(path).refusal == "The pickle of this file is longer than 16,777,216 bytes."


def test_the_storages_are_read_where_they_lie(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(old_torch(pickled(mapping({"w": tensor("0", (4,))})), {"0": floats(4, 1.5)}))
    (stored,) = read_contents(path).stored
    assert stored.position == path.stat().st_size - 16
    assert stored.read().tolist() == [1.5] * 4
