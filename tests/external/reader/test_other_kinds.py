"""Files of every other kind, written by the libraries that usually write them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from penviz import InputError
from penviz.external.reader.image_size import image_size
from penviz.external.reader.images_zip import FolderSummary, unpack_folder
from penviz.external.reader.inspection import inspect_file, read_contents
from penviz.external.reader.limits import Limits
from penviz.external.reader.run_zip import unpack_run

ROOT = Path(__file__).resolve().parents[3]
RUN = ROOT / "checkpoints" / "cifar10-alexnet-hard"


def state(n_classes: int = 7) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "body.weight": torch.randn(4, 3, 3, 3, generator=generator).bfloat16(),
        "fc.bias": torch.randn(n_classes, generator=generator),
        "fc.weight": torch.randn(n_classes, 4, generator=generator),
        "steps": torch.tensor(3),
    }


def test_safetensors(tmp_path: Path) -> None:
    save_file(state(), tmp_path / "model.bin", metadata={"arch": "tiny"})
    contents = read_contents(tmp_path / "model.bin")
    report = contents.report
    assert (report.kind, report.refusal, report.n_classes) == ("safetensors", "", 7)
    assert report.extras == {"arch": "tiny"}
    assert report.n_parameters == 4 * 27 + 7 + 28
    assert {e.key: (e.shape, f"torch.{e.dtype}") for e in report.tensors} == {
        key: (tuple(t.shape), str(t.dtype)) for key, t in state().items()
    }
    for stored in contents.stored:
        tensor = state()[stored.key].contiguous()
        assert stored.read().tobytes() == tensor.reshape(-1).view(torch.uint8).numpy().tobytes()


@pytest.mark.parametrize("at_the_directory", [True, False])
def test_shards(tmp_path: Path, at_the_directory: bool) -> None:
    tensors = list(state().items())
    places = {}
    for i, part in enumerate((tensors[:2], tensors[2:])):
        shard = f"model-{i + 1:05}-of-00002.safetensors"
        save_file({f"model.{key}": value for key, value in part}, tmp_path / shard)
        places |= {f"model.{key}": shard for key, _ in part}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    contents = read_contents(tmp_path if at_the_directory else index)
    assert contents.report.refusal == ""
    assert (contents.report.prefix, contents.report.n_classes) == ("model.", 7)
    assert {e.key for e in contents.report.tensors} == set(state())
    for entry, stored in zip(contents.report.tensors, contents.stored, strict=True):
        assert stored.path.parent == tmp_path
        assert stored.read().nbytes == entry.n_bytes
    digest = contents.report.sha256
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(b"\0")
    assert inspect_file(index).sha256 != digest
    assert inspect_file(index).refusal


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays(tmp_path: Path, save: Any) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "features": rng.normal(size=(5, 3)).astype("f4"),
        "labels": np.arange(5),
        "weight": np.asfortranarray(rng.normal(size=(4, 3))),
        "class_names": np.array(["cat", "dog", "crane", "é"]),
        "big": np.array([1.0, np.inf], ">f4"),
        "half": np.array([1.0, np.nan], "<f2"),
        "complex": np.array([1j, np.nan]),
        "fine": np.array([np.finfo("f4").max], ">f4"),
        "truth": np.array([True]),
        "number": np.float64(2),
        "none": np.zeros((0, 3)),
    }
    with (tmp_path / "a").open("wb") as file:
        save(file, **arrays)
    report = inspect_file(tmp_path / "a")
    assert (report.kind, report.refusal, report.n_classes) == ("npz", "", 4)
    assert report.not_finite == ("big", "half", "complex")
    for entry, (key, array) in zip(report.tensors, arrays.items(), strict=True):
        assert (entry.key, entry.shape, entry.n_bytes) == (key, np.shape(array), np.asarray(array).nbytes)
        dtype = np.asarray(array).dtype
        assert entry.dtype == ("text" if dtype.kind == "U" else dtype.name)
    np.save(tmp_path / "b.npy", arrays["half"])
    assert inspect_file(tmp_path / "b.npy").not_finite == ("array",)
    np.save(tmp_path / "c.npy", np.array([{}]))
    assert "Python objects" in inspect_file(tmp_path / "c.npy").refusal
    for version in ((1, 0), (2, 0), (3, 0)):
        with (tmp_path / "d.npy").open("wb") as file:
            np.lib.format.write_array(file, arrays["features"], version)
        assert inspect_file(tmp_path / "d.npy").refusal == ""


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b'f0,"the, label"\n0.5,cat\n', "csv"), (b"1\t2\n3\t4", "csv"), (b"PAR1xPAR1", "parquet")],
)
def test_tables_are_refused_with_the_next_step(tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "a").write_bytes(content)
    report = inspect_file(tmp_path / "a")
    assert report.kind == kind
    assert "not from tables" in report.refusal
    assert report.lines


FORMATS = [
    *((kind, {}) for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")),
    ("JPEG", {"progressive": True}),
    ("JPEG", {"exif": b"x" * 60_000}),
    ("WEBP", {"lossless": True}),
    ("WEBP", {"exif": b"Exif\0\0x"}),
]


@pytest.mark.parametrize(("kind", "options"), FORMATS)
def test_image_sizes_are_those_of_pillow(kind: str, options: dict[str, Any]) -> None:
    for size in ((1, 1), (37, 5), (300, 701)):
        Image.new("RGB", size, (200, 30, 90)).save(out := io.BytesIO(), kind, **options)
        assert image_size(out.getvalue()) == size
    for n in range(60):  # cut anywhere: no error, and no size out of nothing
        assert image_size(out.getvalue()[:n]) in (None, size)


def zipped_folder(path: Path, root: str, splits: tuple[str, ...], method: int) -> None:
    Image.new("RGB", (8, 6), (9, 9, 9)).save(out := io.BytesIO(), "JPEG")
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.mkdir(f"{root}x"[:-1] or "empty")
        archive.writestr(f"{root}classes.txt", "cat dog")
        archive.writestr(f"__MACOSX/{root}._x.jpg", "junk")
        for split in splits:
            for name in ("dog", "cat"):
                for i in range(3):
                    archive.writestr(f"{root}{split}{name}/{i}.JPG", out.getvalue())


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("root", ["", "pets/", "a/b/"])
@pytest.mark.parametrize("splits", [("train/", "val/"), ("train/",), ("",)])
def test_folders_of_images(tmp_path: Path, root: str, splits: tuple[str, ...], method: int) -> None:
    zipped_folder(tmp_path / "a.zip", root, splits, method)
    report = inspect_file(tmp_path / "a.zip")
    assert (report.kind, report.refusal, report.n_classes) == ("zip of images", "", 2)
    summary = unpack_folder(tmp_path / "a.zip", tmp_path / "out")
    expected = {split.removesuffix("/"): 6 for split in splits}
    assert summary == FolderSummary(root, expected, ("cat", "dog"), 1)
    files = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert files == sorted(f"{s}{c}/{i}.JPG" for s in splits for c in ("cat", "dog") for i in range(3))
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert (tmp_path / "out" / files[0]).read_bytes() == archive.read(root + files[0])
    with pytest.raises(InputError, match="exists already"):
        unpack_folder(tmp_path / "a.zip", tmp_path / "out")


def test_a_zip_written_to_a_pipe_and_one_with_long_records(tmp_path: Path) -> None:
    """Lengths behind the data, and 64-bit fields, as zipfile writes them."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.data += bytes(data)
            return len(data)

    array = io.BytesIO()
    np.save(array, np.ones(1000, "f4"))
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(pipe := Pipe(), "w", method) as archive:
            archive.writestr("a.npy", array.getvalue())
            with archive.open("b.npy", "w", force_zip64=True) as member:
                member.write(array.getvalue())
        (tmp_path / "a.npz").write_bytes(pipe.data)
        report = inspect_file(tmp_path / "a.npz")
        assert report.refusal == ""
        assert [e.shape for e in report.tensors] == [(1000,), (1000,)]


def test_a_packed_run(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "run.zip", "w") as archive:
        for path in RUN.iterdir():
            archive.write(path, f"cifar10-alexnet-hard/{path.name}")
    report = inspect_file(tmp_path / "run.zip")
    assert (report.kind, report.refusal, report.n_classes) == ("penviz run", "", 10)
    assert report.extras["model"] == "tutorial_alexnet"
    unpack_run(tmp_path / "run.zip", tmp_path / "out")
    for path in RUN.iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
    assert inspect_file(RUN).kind == "safetensors"


def test_limits_are_kept(tmp_path: Path) -> None:
    save_file(state(), tmp_path / "a.safetensors")
    np.savez(tmp_path / "a.npz", features=np.ones((100, 10)))
    zipped_folder(tmp_path / "a.zip", "", ("train/",), zipfile.ZIP_STORED)
    torch.save(state(), tmp_path / "a.pt")
    for name, limits, says in (
        ("a.safetensors", Limits(header_bytes=10), "header"),
        ("a.safetensors", Limits(n_tensors=3), "tensors"),
        ("a.safetensors", Limits(file_bytes=10), "GiB"),
        ("a.npz", Limits(inflated_bytes=100), "hold more"),
        ("a.zip", Limits(image_pixels=47), "pixels"),
        ("a.zip", Limits(image_side=7), "pixels"),
        ("a.zip", Limits(n_members=3), "members"),
        ("a.zip", Limits(n_classes=1), "folders"),
        ("a.pt", Limits(n_opcodes=20), "opcodes"),
        ("a.pt", Limits(pickle_bytes=20), "bytes"),
        ("a.pt", Limits(n_tensors=2), "tensors"),
    ):
        assert inspect_file(tmp_path / name).refusal == ""
        assert says in inspect_file(tmp_path / name, limits=limits).refusal


@pytest.mark.parametrize("content", ["hello, I am a note\n", '{"a": 1}'])
def test_text_is_no_table(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.pth").write_text(content)
    assert inspect_file(tmp_path / "a.pth").refusal.endswith("it looks like text.")
    (tmp_path / "b.csv").write_text("a, b\n1, 2\n")
    assert inspect_file(tmp_path / "b.csv").kind == "csv"


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        inspect_file(tmp_path / "none")
    assert "holds no run.json, no index" in inspect_file(tmp_path).refusal
    (tmp_path / "pytorch_model.bin").touch()
    assert inspect_file(tmp_path).advice == "Name the file itself, such as pytorch_model.bin."
    assert inspect_file(Path("/dev/null")).refusal == "This is not a regular file."
    assert inspect_file(RUN / "model.safetensors", name="\x1b[2J.pt").name == "\\x1b[2J.pt"
