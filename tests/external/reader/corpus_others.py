"""Files of other kinds, sound files cut or with a bit turned, and odd files that are sound."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from external.reader.small_files import (
    Part,
    Put,
    floats,
    head_safetensors,
    image_folder,
    network,
    npy_of,
    zip_bytes,
)

MIB = 2**20


def other_files(put: Put, canary: Path) -> None:
    put("empty.pt", b"", "empty", "empty")
    put("random.safetensors", np.random.default_rng(0).bytes(10_000), "unknown", "does not read")
    put("zeros.pt", bytes(10_000), "unknown", "does not read")
    put("keras.pt", b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5", "HDF5")
    put("gzip.pt", b"\x1f\x8b\x08" + bytes(100), "unknown", "gzip")
    put("program.pt", b"\x7fELF" + bytes(100), "unknown", "program")
    put("page.pt", b"<!DOCTYPE html><html>Not found</html>", "unknown", "web page")
    put("pointer.pt", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "unknown", "LFS")
    put("script.pt", b"#!/bin/sh\nrm -rf x\n", "unknown", "script")
    put("tar.pt", b"a.txt".ljust(257, b"\0") + b"ustar" + bytes(300), "unknown", "tar")
    model = b"\x08\x09" + b"\x3a\x10" + b"\x6a\x08location" + bytes(6)
    put("model.onnx", model, "ONNX", "ONNX")
    put("table.csv", b"a,b\n1,2\n3,x\n", "csv", "tables")
    put("one-line.csv", b"a," * (2 * MIB), "csv", "tables")
    put("columns.csv", b"a," * 30_000 + b"\n", "csv", "tables")
    put("footer.parquet", b"PAR1" + bytes(20) + struct.pack("<I", 2**31) + b"PAR1", "parquet", "tables")
    put(
        "long-list.parquet",
        b"PAR1\x19\xfc\xff\xff\xff\xff\x0f" + struct.pack("<I", 7) + b"PAR1",
        "parquet",
        "tables",
    )
    put("garbage.parquet", b"PAR1" + b"\xff" * 50 + struct.pack("<I", 50) + b"PAR1", "parquet", "tables")
    put(
        "run.zip",
        zip_bytes(Part("run/run.json", b"{}"), Part("run/evil.py", b"x")),
        "penviz run",
        "no file of a run",
    )
    put("run-damaged.zip", zip_bytes(Part("run/run.json", b"[" * 9999)), "penviz run", "JSON")
    put("nested.zip", zip_bytes(Part("a.zip", network()), Part("b.pt", network())), "unknown", "neither")


def broken_files(put: Put, canary: Path) -> None:
    """Sound files of every kind, cut or with a bit turned where that can be seen."""
    sound = {
        "torch.pt": (network(), "torch zip|unknown"),
        "head.safetensors": (head_safetensors(10), "safetensors|unknown"),
        "arrays.npz": (
            zip_bytes(Part("features.npy", npy_of(np.ones((4, 2), "<f4")), deflate=True)),
            "npz|unknown",
        ),
        "array.npy": (npy_of(np.ones((4, 2), "<f4")), "npy|unknown"),
        "images.zip": (image_folder(), "zip of images|unknown"),
    }
    for label, (data, kind) in sound.items():
        for percent in (1, 10, 50, 90, 99):
            put(f"cut-{percent}-{label}", data[: len(data) * percent // 100], kind + "|empty", "")
        for at in (0, 1, 9):
            turned = bytearray(data)
            turned[at] ^= 0x10
            put(f"turned-{at}-{label}", bytes(turned), kind, "")
    data = bytearray(network())
    data[data.index(floats(4))] ^= 1
    put("turned-weight-torch.pt", bytes(data), "torch zip", "checksum")
    data[-1] ^= 1
    put("turned-last-torch.pt", bytes(data), "unknown", "end record|cut")


def odd_files(put: Put) -> None:
    """Odd files that are sound."""
    put(
        "nan.pt",
        network(fill=float("nan")),
        "torch zip",
        {"not_finite": ("body.weight", "head.weight", "head.bias")},
    )
    put("one-class.pt", network(1), "torch zip", {"n_classes": 1})
    put("many-classes.pt", network(100_000, 2), "torch zip", {"n_classes": 100_000})
