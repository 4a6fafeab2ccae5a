"""What a file is and holds, found out without running anything in it. Every outcome is a report."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from typing import Any

from penviz import InputError
from penviz.external.reader import next_steps
from penviz.external.reader.archive import Archive
from penviz.external.reader.arrays import read_npy, read_npz
from penviz.external.reader.class_count import count_classes
from penviz.external.reader.finite import is_float, not_finite
from penviz.external.reader.images_zip import describe
from penviz.external.reader.kinds import kind_of, kind_of_archive
from penviz.external.reader.limits import Limits
from penviz.external.reader.next_steps import FILE, NextStep
from penviz.external.reader.own_training import stated_training
from penviz.external.reader.pickle_tree import globals_of, read_tree
from penviz.external.reader.report import FileReport, Refused, TensorEntry, printable
from penviz.external.reader.run_zip import describe_run
from penviz.external.reader.safetensors_header import INDEX_SUFFIX, read_safetensors, shard_paths
from penviz.external.reader.stored import ITEM_BYTES, StoredTensor
from penviz.external.reader.torch_legacy import read_torch_legacy
from penviz.external.reader.torch_tensors import TorchFile
from penviz.external.reader.torch_zip import read_torch_zip
from penviz.external.reader.weights_found import checked_key, find_weights, undo_prefixes

PICKLED = (".bin", ".ckpt", ".pt", ".pth")
NOT_WEIGHTS = ("running_mean", "running_var", "num_batches_tracked")
"""Statistics of normalisation layers, which no optimizer changes."""


@dataclass(frozen=True)
class Contents:
    """A report, and where each of its tensors lies: enough to read them without running anything.

    Attributes:
        report: what inspect_file returns; stored: the same tensors in the same order, for
            one of report.OF_WEIGHTS.
    """

    report: FileReport
    stored: tuple[StoredTensor, ...] = ()


def inspect_file(path: Path, *, name: str | None = None, limits: Limits | None = None) -> FileReport:
    """Say what a file, an index of shards or a directory with one is and holds.

    Args:
        path: of the file; name: what to call it, for a file that was stored under another one.
        limits: of lengths and numbers.

    Returns:
        A report; with a refusal, nothing of the file may be loaded.

    Raises:
        InputError: no such file, or one that may not be read. Never for what it holds.
    """
    return read_contents(path, name=name, limits=limits).report


def read_contents(path: Path, *, name: str | None = None, limits: Limits | None = None) -> Contents:
    """Like inspect_file, and where the tensors of the report lie in the file."""
    limits = limits or Limits()
    report = FileReport(printable(name or path.name or str(path), 120), "unknown", 0, "")
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return _directory(path, report, limits)
        if not stat.S_ISREG(mode):
            raise Refused("This is not a regular file.")
        with path.open("rb") as file:
            return _with_name(_file(path, file, report, limits), name or str(path))
    except Refused as refused:
        return _with_name(Contents(_refused(report, refused)), name or str(path))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"There is no file {path}.") from None
    except PermissionError:
        raise InputError(f"{path} may not be read.") from None


def _with_name(contents: Contents, name: str) -> Contents:
    """Lines of Python with the name of the file in them."""
    lines = tuple(line.replace(FILE, repr(name)) for line in contents.report.lines)
    return replace(contents, report=replace(contents.report, lines=lines))


def _refused(report: FileReport, refused: Refused) -> FileReport:
    return replace(
        report,
        **{
            "kind": refused.kind or report.kind,
            **refused.found,
            "refusal": str(refused),
            "advice": refused.advice,
            "lines": refused.lines,
        },
    )


def _too_long(what: str, n_bytes: int, limits: Limits) -> Refused:
    return Refused(
        f"The {what} {n_bytes / 2**30:.1f} GiB; penviz reads up to {limits.file_bytes / 2**30:g} GiB.",
        "Keep the weights of the network alone: no optimizer, no second copy.",
    )


def _file(path: Path, file: BufferedReader, report: FileReport, limits: Limits) -> Contents:
    n_bytes = file.seek(0, 2)
    report = replace(report, n_bytes=n_bytes)
    if n_bytes > limits.file_bytes:
        return Contents(_refused(report, _too_long("file has", n_bytes, limits)))
    file.seek(0)
    report = replace(report, sha256=hashlib.file_digest(file, "sha256").hexdigest())
    kind, looks_like = kind_of(file, limits)
    if kind == "index":
        return _shards(path, report, limits)
    report = replace(report, kind="unknown" if kind == "zip" else kind)
    try:
        if kind != "zip":
            return _read(path, file, report, limits, looks_like)
        archive = Archive.read(file, limits)
        report = replace(report, kind=kind_of_archive(archive))
        return _read_archive(path, archive, report, limits)
    except Refused as refused:
        return Contents(_refused(report, refused))


def _network(
    report: FileReport, tensors: Sequence[StoredTensor], keys: Sequence[str], limits: Limits, **found: Any
) -> Contents:
    """A report on the weights of a network."""
    entries = tuple(
        TensorEntry(key, t.shape, t.dtype, t.n_elements * ITEM_BYTES[t.dtype], t.key)
        for t, key in zip(tensors, keys, strict=True)
    )
    n_classes, evidence = count_classes(entries)
    bad = set(not_finite(tensors, limits))
    report = replace(
        report,
        tensors=entries,
        n_parameters=sum(
            e.n_elements for e in entries if is_float(e.dtype) and e.key.rsplit(".")[-1] not in NOT_WEIGHTS
        ),
        n_classes=n_classes,
        n_classes_evidence=evidence,
        not_finite=tuple(e.key for e in entries if e.stored_key in bad),
        **found,
    )
    return Contents(report, tuple(tensors))


def _torch_file(content: TorchFile, report: FileReport, limits: Limits, archive: Archive | None) -> Contents:
    report = replace(report, globals=content.tree.globals)
    try:
        for member in archive.members.values() if archive else ():
            for _ in archive.chunks(member) if archive else ():
                pass  # its checksum is compared at the end
        found = find_weights(content, limits)
    except Refused as refused:
        return Contents(_refused(report, refused))
    return _network(
        report,
        found.tensors,
        found.keys,
        limits,
        wrapper=found.wrapper,
        prefix=found.prefix,
        extras=found.extras,
        notes=found.notes,
    )


def _plain_weights(
    report: FileReport, tensors: list[StoredTensor], metadata: dict[str, str], limits: Limits, *notes: str
) -> Contents:
    if not tensors:
        raise Refused("The file holds no tensors.")
    keys, prefix, left = undo_prefixes([checked_key(t.key, limits) for t in tensors])
    kept = [(t, key) for t, key in zip(tensors, keys, strict=True) if key is not None]
    if left:
        notes = (*notes, f"Left out, outside the network: {', '.join(map(printable, left[:3]))}.")
    extras = {printable(k, 80): printable(v, 200) for k, v in list(metadata.items())[:50]}
    training = stated_training(metadata)
    if training:
        on = f" on {training['dataset']}" if "dataset" in training else ""
        notes = (*notes, f"The file says that penviz trained it: {training['model']}{on}.")
    return _network(
        report,
        [t for t, _ in kept],
        [k for _, k in kept],
        limits,
        prefix=prefix,
        extras=extras,
        training=training,
        notes=notes,
    )


def _directory(path: Path, report: FileReport, limits: Limits) -> Contents:
    indexes = sorted(p for p in path.iterdir() if p.name.endswith(INDEX_SUFFIX))
    if len(indexes) == 1:
        return _shards(indexes[0], report, limits)
    files = sorted(p for p in path.iterdir() if p.name.endswith(".safetensors"))
    if len(files) == 1 and files[0].is_file():
        contents = read_contents(files[0], name=report.name, limits=limits)
        return replace(
            contents,
            report=replace(
                contents.report,
                notes=(*contents.report.notes, f"Read from {files[0].name} in the directory."),
            ),
        )
    if (path / "run.json").is_file():
        return Contents(replace(report, kind="penviz run"))
    others = sorted(p.name for p in path.iterdir() if p.suffix in PICKLED)
    raise Refused(
        f"The directory holds no run.json, no index of shards and {len(files) or 'no'} safetensors files.",
        f"Name the file itself, such as {printable(others[0], 80)}." if others else "",
    )


def _shards(index: Path, report: FileReport, limits: Limits) -> Contents:
    """A safetensors file in several parts, told by its index."""
    report = replace(report, kind="safetensors")
    try:
        places, paths = shard_paths(index, limits)
        n_bytes = index.stat().st_size + sum(p.stat().st_size for p in paths)
        report = replace(report, n_bytes=n_bytes)
        if n_bytes > limits.file_bytes:
            raise _too_long("shards have", n_bytes, limits)
        digest = hashlib.sha256()
        for part in (index, *paths):
            with part.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        report = replace(report, sha256=digest.hexdigest())
        tensors: list[StoredTensor] = []
        metadata: dict[str, str] = {}
        for part in paths:
            with part.open("rb") as file:
                if kind_of(file, limits)[0] != "safetensors":
                    raise Refused(f"The shard {part.name} is no safetensors file.")
                found, notes = read_safetensors(file, part, limits)
            tensors += found
            metadata |= notes
            wrong = [t.key for t in found if places.get(t.key) != part.name]
            if wrong:
                raise Refused(
                    f"The index does not place {printable(wrong[0], 80)} in {part.name}, which holds it."
                )
        if len(tensors) != len(places):
            raise Refused(f"The index names {len(places):,} tensors, and the shards hold {len(tensors):,}.")
        return _plain_weights(report, tensors, metadata, limits, f"In {len(paths)} shards.")
    except Refused as refused:
        return Contents(_refused(report, refused))


def _pickled(file: BufferedReader, limits: Limits) -> Refused:
    file.seek(0)
    data = file.read(limits.pickle_bytes)
    try:
        where = next_steps.where_weights(read_tree(data, limits))
    except Refused:
        where = ""
    return Refused(
        "This is a pickle that torch did not write, and loading it can run any code.",
        next_steps.unpickled(where),
        globals=globals_of(data, limits),
    )


_NO_TABLES = "penviz reads activations from .npz or safetensors, not from tables.", next_steps.ARRAYS
_REFUSALS: dict[str, tuple[str, str | NextStep]] = {
    "empty": ("The file is empty.", ""),
    "ONNX": ("penviz does not run ONNX models.", next_steps.ONNX),
    "TorchScript": ("A TorchScript file is a program, and loading it runs it.", next_steps.SCRIPT),
    "pt2": ("A .pt2 file of torch.export is a program, and loading it can run code.", next_steps.EXPORTED),
    "HDF5": ("penviz does not read HDF5 files.", next_steps.KERAS),
    "Keras": ("penviz does not run Keras models.", next_steps.KERAS),
    "msgpack": ("penviz does not read msgpack, the form of Flax.", next_steps.MSGPACK),
    "csv": _NO_TABLES,
    "parquet": _NO_TABLES,
}
_UNPACK = ("gzip", "bzip2", "xz", "zstandard", "7z", "rar", "tar")
_PLAIN_ARCHIVES: dict[str, Callable[[Archive, Limits], dict[str, Any]]] = {
    "npz": read_npz,
    "zip of images": describe,
    "penviz run": describe_run,
}
"""Kind -> what reads the fields of its report."""


def _read(path: Path, file: BufferedReader, report: FileReport, limits: Limits, looks_like: str) -> Contents:
    """The contents of a file that is no zip."""
    kind = report.kind
    if kind in _REFUSALS:
        raise Refused(*_REFUSALS[kind])
    if kind == "safetensors":
        tensors, metadata = read_safetensors(file, path, limits)
        return _plain_weights(report, tensors, metadata, limits)
    if kind == "legacy torch file":
        if file.seek(0) == 0 and file.read(1) not in b"\x80L":
            raise Refused("This is a tar of torch 0.1, and loading it can run any code.", next_steps.TAR)
        return _torch_file(read_torch_legacy(file, path, limits), report, limits, None)
    if kind == "legacy pickle":
        raise _pickled(file, limits)
    if kind == "npy":
        return Contents(replace(report, **read_npy(file, limits)))
    looks = f": it looks like {looks_like}" if looks_like else ""
    packed = any(word in looks_like for word in _UNPACK)
    raise Refused(
        f"penviz does not read this kind of file{looks}.",
        "Unpack it and give what is in it." if packed else "",
    )


def _read_archive(path: Path, archive: Archive, report: FileReport, limits: Limits) -> Contents:
    kind = report.kind
    if kind in _REFUSALS:
        raise Refused(*_REFUSALS[kind])
    if kind == "torch zip":
        return _torch_file(read_torch_zip(archive, path, limits), report, limits, archive)
    if kind in _PLAIN_ARCHIVES:
        return Contents(replace(report, **_PLAIN_ARCHIVES[kind](archive, limits)))
    raise Refused("The zip holds neither a checkpoint nor arrays nor images.")
