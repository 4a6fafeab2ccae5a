"""Archives, safetensors, arrays and image folders that lie about what they hold."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np
from external.reader.small_files import (
    Part,
    Put,
    call,
    entry,
    floats,
    head_safetensors,
    image_folder,
    mapping,
    npy,
    npy_of,
    pickled,
    png,
    safetensors,
    tensor,
    text,
    torch_parts,
    zip_bytes,
)

MIB = 2**20


def zip_files(put: Put, canary: Path) -> None:
    """Zips on which two readers disagree, that leave their directory, or that blow up."""
    good = torch_parts(pickled(mapping({"w": tensor("0", (4,))})), {"0": floats(4)})
    evil = pickled(call("posix.system", text(f"touch {canary}")))
    first, *rest = good

    def torch(label: str, says: str, *parts: Part, kind: str = "unknown", **more: object) -> None:
        put(f"zip-{label}.pt", zip_bytes(*parts, **more), kind, says)

    torch("duplicate", "have the name", *good, Part("archive/data.pkl", evil))
    torch("case", "have the name", *good, Part("archive/DATA.PKL", evil))
    torch(
        "unicode-case",
        "have the name",
        *good,
        Part("archive/\u00e9", flags=0x800),
        Part("archive/e\u0301", flags=0x800),
    )
    torch("overlapping", "overlap", *good, Part("archive/data/1", size=99, stored=99, crc=0))
    torch(
        "shared-body",
        "overlap",
        *good,
        Part("archive/data/1", header=0, size=len(first.data), stored=len(first.data), crc=0),
    )
    torch("parent", "path", *good, Part("../../evil.py", b"x"))
    torch("parent-inside", "path", *good, Part("archive/../../evil.py", b"x"))
    torch("absolute", "path", *good, Part("/etc/evil", b"x"))
    torch("drive", "path", *good, Part("C:/evil", b"x"))
    torch("backslash", "path", *good, Part("archive\\..\\evil", b"x"))
    torch("zero-byte", "path", *good, Part("archive/data.pkl\0.txt", b"x"))
    torch("file-and-folder", "file and a folder", *good, Part("archive/data.pkl/x", b"x"))
    torch("encrypted", "encrypted", *good, Part("archive/data/1", b"x" * 20, flags=1))
    torch("strongly-encrypted", "encrypted", *good, Part("archive/data/1", b"x" * 20, flags=0x41))
    torch("patch-flag", "flags", *good, Part("archive/data/1", b"x" * 20, flags=0x20))
    torch("method", "method 14", *good, Part("archive/data/1", b"x" * 20, method=14))
    torch("before", "end record|directory", *good, before=b"#!/bin/sh\ntouch x\n")
    torch("behind", "cut short|behind", *good, after=b"more")
    torch("zip-behind", "end record|directory", *good, after=zip_bytes(*torch_parts(evil)))
    torch("comment", "end record|behind", *good, comment=b"a comment")
    torch("hidden-member", "overlap|behind|before", Part("archive/data.pkl", evil, absent=True), *good)
    torch("hidden-member-last", "overlap|behind", *good, Part("archive/data.pkl", evil, absent=True))
    torch("hidden-bytes", "behind", Part(first.name, first.data, behind=b"evil"), *rest)
    torch("two-names", "two ways", *rest, Part("archive/data.pkl", first.data, local_name="archive/hide.pkl"))
    torch("two-sizes", "two ways|overlap", *rest, Part("archive/data.pkl", first.data, local_size=9))
    torch("two-methods", "two ways", *rest, Part("archive/data.pkl", first.data, local_method=8))
    torch("two-lengths", "two lengths", *rest, Part("archive/data.pkl", first.data, size=9))
    torch("count", "end|longer", *good, count=2)
    torch("count-more", "early|cut", *good, count=9)
    torch("65535-members", "early|end record|cut", *good, count=65535)
    torch("directory-claim", "end", *good, length=2**31)
    torch("directory-elsewhere", "end|directory", *good, start=0)
    torch("second-disk", "end record", *good, disk=1)
    torch("deflated", "compressed", Part(first.name, first.data, deflate=True), *rest, kind="torch zip")
    bomb = Part("archive/data/1", bytes(64 * MIB), deflate=True)
    torch("bomb", "fold", *good, bomb)
    torch("bomb-in-the-pickle", "fold", *rest, Part("archive/data.pkl", b"N0" * (32 * MIB), deflate=True))
    torch("checksum", "checksum", *rest, Part(first.name, first.data, crc=1), kind="torch zip")
    torch(
        "damaged-storage",
        "checksum",
        first,
        *(Part(p.name, p.data, crc=5) if p.name.endswith("/0") else p for p in rest),
        kind="torch zip",
    )
    torch("stranger", "beside", *good, Part("other/x", b"x"), kind="torch zip")
    torch("two-pickles", "neither|beside", *good, Part("other/data.pkl", evil))
    torch("empty-zip", "neither")
    torch(
        "65534-members",
        "early",
        *good,
        *(Part(f"archive/data/x{i}") for i in range(10)),
        count=65534,
    )
    torch("script", "TorchScript", *good, Part("archive/constants.pkl", b"x"), kind="TorchScript")
    torch("script-code", "TorchScript", *good, Part("archive/code/__torch__.py", b"x"), kind="TorchScript")
    torch("exported", "pt2", *good, Part("archive/archive_format", b"pt2"), kind="pt2")
    torch(
        "exported-models",
        "pt2",
        Part("archive/models/model.json", b"{}"),
        Part("archive/data/weights/w", evil),
        kind="pt2",
    )
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, 0, 1)
    plain = zip_bytes(*good)
    put("zip-64-lie.pt", plain[:-22] + locator + plain[-22:], "unknown", "64-bit")


def safetensors_files(put: Put, canary: Path) -> None:
    def file(label: str, data: bytes, says: str | dict[str, object]) -> None:
        put(f"safetensors-{label}.safetensors", data, "safetensors", says)

    def of(label: str, says: str, header: object, n: int = 16) -> None:
        file(label, safetensors(header, floats(n // 4)), says)

    file("header-2-39", safetensors({"w": entry([4], 0, 16)}, floats(4), length=2**39), "claims")
    file("header-longer-than-file", safetensors({"w": entry([4], 0, 16)}, floats(4), length=10**6), "claims")
    file("header-5-mib", safetensors({"__metadata__": {"a": "x" * 5 * MIB}}), "claims")
    file(
        "metadata-2-mib",
        safetensors({"__metadata__": {"a": "x" * 2 * MIB}, "w": entry([4], 0, 16)}, floats(4)),
        "metadata",
    )
    of("100000-entries", "claims|names 100,000", {f"w{i}": entry([0], 0, 0) for i in range(100_000)}, 0)
    of("30000-entries", "names 30,000", {f"w{i}": entry([0], 0, 0) for i in range(30_000)}, 0)
    of("overlapping", "overlap", {"a": entry([4], 0, 16), "b": entry([2], 8, 16)})
    of("the-same-place", "overlap", {"a": entry([4], 0, 16), "b": entry([4], 0, 16)})
    of("a-gap", "gap", {"a": entry([1], 0, 4), "b": entry([1], 12, 16)})
    of("outside", "too early", {"a": entry([400], 0, 1600)})
    of("behind", "behind", {"a": entry([2], 0, 8)})
    of("backwards", "fit", {"a": entry([4], 16, 0)})
    of("negative", "lengths", {"a": entry([4], -16, 0)})
    of("negative-shape", "lengths", {"a": entry([-4, -1], 0, 16)})
    of("overflow", "more numbers|fit", {"a": entry([2**40, 2**40], 0, 16)})
    of("zero-times-much", "more numbers|axes", {"a": entry([0, 2**61, 2**61], 0, 0)}, 0)
    of("shape-of-text", "lengths", {"a": entry(["4"], 0, 16)})
    of("shape-of-truth", "lengths", {"a": entry([True], 0, 4)}, 4)
    of("unknown-dtype", "dtype", {"a": entry([4], 0, 16, "F4")})
    of("wrong-dtype", "fit", {"a": entry([4], 0, 16, "F16")})
    of("more-fields", "describe", {"a": entry([4], 0, 16) | {"more": 1}})
    of("a-list", "describe", {"a": [1, 2]})
    of("no-tensors", "no tensors", {"__metadata__": {"a": "b"}}, 0)
    of("metadata-of-numbers", "metadata", {"__metadata__": {"a": 1}, "w": entry([4], 0, 16)})
    of("terminal-key", "shown", {"\x1b[2J": entry([4], 0, 16)})
    of("surrogate-key", "shown", {"\ud800": entry([4], 0, 16)})
    twice = json.dumps({"a": entry([4], 0, 16)})[:-1] + "," + json.dumps({"a": entry([4], 0, 16)})[1:]
    file("key-twice", safetensors(twice.encode(), floats(4)), "twice")
    file("deep", safetensors(b'{"a":' + b"[" * 500_000), "JSON")
    file("deep-objects", safetensors(b'{"a":' * 200_000), "JSON")
    file("many-lists", safetensors(b'{"a":[' + b"[]," * 10**6 + b"[]]}"), "describe")
    file("digits", safetensors(b'{"a":' + b"9" * 10**6 + b"}"), "digits")
    file("infinity", safetensors(b'{"a":Infinity}'), "describe")
    file("not-text", safetensors(b'{"\xff\xfe":1}'), "JSON")
    nan = head_safetensors(10, fill=float("nan"))
    file("nan", nan, {"not_finite": ("head.bias", "head.weight")})
    file(
        "infinite",
        head_safetensors(10, fill=float("inf")),
        {"not_finite": ("head.bias", "head.weight")},
    )
    file("one-class", head_safetensors(1), {"n_classes": 1})
    file("a-million-classes", head_safetensors(10**6, 2), {"n_classes": 10**6})


def array_files(put: Put, canary: Path) -> None:
    objects = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    evil = pickled(call("posix.system", text(f"touch {canary}")))

    def array(label: str, data: bytes, says: str) -> None:
        put(f"npy-{label}.npy", data, "npy", says)

    array("objects", npy(objects, evil), "Python objects")
    array(
        "code",
        npy("{'descr': __import__('os').system('touch x'), 'fortran_order': False, 'shape': ()}"),
        "damaged",
    )
    array("deep", npy("(" * 9000), "damaged")
    array("minus", npy("-" * 9000 + "1"), "damaged")
    array("long-header", b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + b"{", "claims")
    array(
        "giant",
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }"),
        "length|more numbers",
    )
    array(
        "overflow",
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999999999,), }"),
        "numbers",
    )
    array("negative", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }"), "damaged")
    array(
        "records",
        npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", floats(1)),
        "records",
    )
    array("void", npy("{'descr': '|V4', 'fortran_order': False, 'shape': (1,), }", floats(1)), "type")
    array(
        "key-twice",
        npy("{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", floats(1)),
        "damaged",
    )
    array("version", b"\x93NUMPY\x09\x00\x10\x00" + b" " * 20, "version")
    put("npz-objects.npz", zip_bytes(Part("x.npy", npy(objects, evil))), "npz", "Python objects")
    zeros = npy_of(np.zeros(16 * MIB, "<f4"))
    put("npz-bomb.npz", zip_bytes(Part("x.npy", zeros, deflate=True)), "unknown", "fold")
    put(
        "npz-lie.npz",
        zip_bytes(Part("x.npy", zeros[: 7 * MIB], deflate=True, size=100)),
        "npz",
        "more than it declares|length",
    )
    put(
        "npz-duplicate.npz",
        zip_bytes(Part("x.npy", zeros[:99]), Part("X.npy", zeros[:99])),
        "unknown",
        "have the name",
    )
    put("npz-no-array.npz", zip_bytes(Part("x.npy", b"hello, this is no array")), "npz", "no array")
    put("npz-not-deflated.npz", zip_bytes(Part("x.npy", b"\xff" * 50, method=8)), "npz", "inflated")
    half = npy_of(np.array([[1.0, np.nan]], "<f2"))
    put(
        "npz-nan.npz",
        zip_bytes(Part("features.npy", half)),
        "npz",
        {"not_finite": ("features",)},
    )


def image_files(put: Put, canary: Path) -> None:
    def images(label: str, says: str, *parts: Part, kind: str = "zip of images") -> None:
        good = [Part(f"train/{c}/{i}.png", png()) for c in ("cat", "dog") for i in range(2)]
        put(f"images-{label}.zip", zip_bytes(*good, *parts), kind, says)

    images("parent", "path", Part("../../evil.png", png()), kind="unknown")
    images("parent-inside", "path", Part("train/cat/../../../evil.png", png()), kind="unknown")
    images("absolute", "path", Part("/tmp/evil.png", png()), kind="unknown")
    images("link", "named as an image", Part("train/cat/link.png", b"/etc/passwd", attributes=0o120777 << 16))
    images("program", "named as an image", Part("train/cat/x.png", b"\x7fELF" + bytes(100)))
    images(
        "pickle",
        "named as an image",
        Part("train/cat/x.jpg", pickled(call("posix.system", text(f"touch {canary}")))),
    )
    images("huge", "pixels", Part("train/cat/x.png", png(claim=(60_000, 60_000))))
    images("wide", "pixels", Part("train/cat/x.png", png(claim=(2**31 - 1, 1))))
    images("nothing", "pixels", Part("train/cat/x.png", png(claim=(0, 4))))
    images("bomb", "fold", Part("train/cat/x.png", png() + bytes(32 * MIB), deflate=True), kind="unknown")
    images("long", "bytes", Part("train/cat/x.png", png() + os.urandom(65 * MIB)))
    images("case", "have the name", Part("TRAIN/CAT/0.PNG", png()), kind="unknown")
    images("outside", "outside the folders", Part("top.png", png()))
    images("split-and-top", "outside the folders", Part("train/loose.png", png()))
    images("long-name", "too long", Part(f"train/cat/{'x' * 300}.png", png()))
    images("cut", "named as an image", Part("train/cat/x.png", png()[:10]))
    put(
        "images-sound.zip",
        image_folder(**{"readme.txt": b"hello"}),
        "zip of images",
        {"n_classes": 2, "extras": {"train": "4 images", "classes": "cat, dog"}},
    )
