"""Hostile images and hostile zips of runs, of kinds that the corpus of files does not hold."""

from __future__ import annotations

import functools
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from external.reader.small_files import Part, npy, npy_of, png, zip_bytes
from PIL import Image

MIB = 2**20


def chunk(kind: bytes, data: bytes, crc: int | None = None) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc or zlib.crc32(kind + data))


def _png(*chunks: bytes, size: tuple[int, int] = (4, 4), head: bytes = b"\x08\0\0\0\0") -> bytes:
    rows = chunk(b"IDAT", zlib.compress(b"\0\0\0\0\0" * 4))
    ihdr = chunk(b"IHDR", struct.pack(">II", *size) + head)
    return b"\x89PNG\r\n\x1a\n" + ihdr + b"".join(chunks) + rows + chunk(b"IEND", b"")


def _saved(kind: str, mode: str = "L", size: tuple[int, int] = (8, 8), **options: Any) -> bytes:
    Image.new(mode, size).save(out := io.BytesIO(), kind, **options)
    return out.getvalue()


def _patched(data: bytes, at: int, raw: bytes) -> bytes:
    return data[:at] + raw + data[at + len(raw) :]


def _tiff(*tags: tuple[int, int, int, int], following: int = 0, body: bytes = b"") -> bytes:
    """A little-endian TIFF of one directory: tags (number, type, count, value)."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", following) + body


def _tiff_of(width: int, height: int, *more: tuple[int, int, int, int], **options: Any) -> bytes:
    tags = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1)}
    tags |= {273: (4, 1, 8), 277: (3, 1, 1), 278: (4, 1, height & 0xFFFFFFFF), 279: (4, 1, 64)}
    tags |= {number: rest for number, *rest in more}
    return _tiff(*((number, *rest) for number, rest in sorted(tags.items())), **options)


@functools.cache
def images() -> dict[str, bytes]:
    """Name -> bytes of a file that is called an image."""
    text = zlib.compress(bytes(80 * MIB), 9)
    pixel, giant = struct.pack("<II", 2**31 - 1, 2**31 - 1), struct.pack(">II", 60_000, 60_000)
    jpeg, gif, bmp, webp = _saved("JPEG"), _saved("GIF"), _saved("BMP"), _saved("WEBP", "RGB", lossless=True)
    frame = jpeg.index(b"\xff\xc0") + 5
    exif = b"Exif\0\0" + _tiff((0x0112, 3, 1, 6), (0x8769, 4, 1, 8), following=8)
    long_exif = b"Exif\0\0" + _tiff((0x0112, 3, 2**31, 26), (0x0112, 2, 2**32 - 1, 4))
    return {
        "png-flat-81-megapixels.png": _saved("PNG", "1", (9000, 9000)),
        "png-tall.png": _saved("PNG", "1", (1, 60_000)),
        "png-wide.png": _saved("PNG", "1", (60_000, 1)),
        "png-interlaced-claim.png": _png(size=(7900, 7900), head=b"\x10\x06\0\0\x01"),
        "png-sixteen-bits-claim.png": _png(size=(7900, 7900), head=b"\x10\x06\0\0\0"),
        "png-text-bomb.png": _png(chunk(b"zTXt", b"a\0\0" + text)),
        "png-international-bomb.png": _png(chunk(b"iTXt", b"a\0\x01\0\0\0" + text)),
        "png-profile-bomb.png": _png(chunk(b"iCCP", b"a\0\0" + text)),
        "png-pixels-bomb.png": _png(chunk(b"IDAT", text)),
        "png-palette-none.png": _png(head=b"\x08\x03\0\0\0"),
        "png-palette-long.png": _png(chunk(b"PLTE", bytes(3 * 5000)), head=b"\x08\x03\0\0\0"),
        "png-transparency.png": _png(chunk(b"tRNS", bytes(900)), head=b"\x08\x03\0\0\0"),
        "png-two-heads.png": _png(chunk(b"IHDR", giant + b"\x08\0\0\0\0")),
        "png-checksum.png": _png(chunk(b"tEXt", b"a\0b", crc=1)),
        "png-chunk-length.png": _png(struct.pack(">I", 2**31) + b"tEXt"),
        "png-chunk-negative.png": _png(struct.pack(">I", 2**32 - 1) + b"tEXt"),
        "png-many-chunks.png": _png(*[chunk(b"tEXt", b"a\0b")] * 50_000),
        "png-animation.png": _png(chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))),
        "png-frame-outside.png": _png(
            chunk(b"acTL", struct.pack(">II", 2, 0)),
            chunk(b"fcTL", struct.pack(">5I2H2B", 0, 9999, 9999, 2**30, 2**30, 1, 0, 7, 7)),
        ),
        "png-exif-loop.png": _png(chunk(b"eXIf", exif[6:])),
        "png-cut.png": png()[:50],
        "png-depth.png": _png(head=b"\x07\x09\0\0\0"),
        "jpeg-claim.jpg": _patched(jpeg, frame, b"\xff\xff\xff\xff"),
        "jpeg-7900.jpg": _patched(jpeg, frame, struct.pack(">HH", 7900, 7900)),
        "jpeg-nothing.jpg": _patched(jpeg, frame, bytes(4)),
        "jpeg-progressive-claim.jpg": _patched(_patched(jpeg, frame - 4, b"\xc2"), frame, b"\x1e\0\x1e\0"),
        "jpeg-components.jpg": _patched(jpeg, frame + 4, b"\xff"),
        "jpeg-no-tables.jpg": jpeg.replace(b"\xff\xc4", b"\xff\xfe").replace(b"\xff\xdb", b"\xff\xfe"),
        "jpeg-cut.jpg": jpeg[:-40],
        "jpeg-exif-loop.jpg": _saved("JPEG", exif=exif),
        "jpeg-exif-long.jpg": _saved("JPEG", exif=long_exif),
        "jpeg-many-scans.jpg": jpeg[:-2] + jpeg[jpeg.index(b"\xff\xda") : -2] * 2000 + b"\xff\xd9",
        "jpeg-fill.jpg": jpeg[:2] + b"\xff" * 2 * MIB + jpeg[2:],
        "gif-screen.gif.png": _patched(gif, 6, b"\xff\xff\xff\xff"),
        "gif-frame-outside.png": _patched(gif, gif.index(b",") + 1, struct.pack("<4H", 65_535, 65_535, 9, 9)),
        "gif-frame-giant.png": _patched(gif, gif.index(b",") + 1, struct.pack("<4H", 0, 0, 65_535, 65_535)),
        "gif-code-size.png": _patched(gif, gif.index(b",") + 10, b"\xff"),
        "gif-comments.png": gif[:-1] + b"!\xfe" + (b"\xff" + bytes(255)) * 20_000,
        "bmp-claim.bmp": _patched(bmp, 18, pixel),
        "bmp-upside-down.bmp": _patched(bmp, 22, struct.pack("<i", -(2**31))),
        "bmp-runs.bmp": _patched(_patched(bmp, 18, struct.pack("<ii", 7900, 7900)), 30, b"\x01"),
        "bmp-no-bits.bmp": _patched(bmp, 28, bytes(2)),
        "bmp-colours.bmp": _patched(bmp, 46, b"\xff\xff\xff\xff"),
        "bmp-offset.bmp": _patched(bmp, 10, b"\xf0\xff\xff\xff"),
        "tiff-claim.tif": _tiff_of(2**32 - 1, 2**32 - 1),
        "tiff-7900.tif": _tiff_of(7900, 7900),
        "tiff-loop.tif": _tiff_of(4, 4, following=8),
        "tiff-strips.tif": _tiff_of(4, 4, (273, 4, 2**31, 8), (279, 4, 2**31, 8)),
        "tiff-samples.tif": _tiff_of(4, 4, (277, 3, 1, 65_535), (258, 3, 65_535, 8)),
        "tiff-tiles.tif": _tiff_of(4, 4, (322, 4, 1, 2**31), (323, 4, 1, 2**31), (324, 4, 1, 8)),
        "tiff-compression.tif": _tiff_of(4, 4, (259, 3, 1, 34_712)),
        "tiff-deflate-bomb.tif": _tiff_of(4, 4, (259, 3, 1, 8), (273, 4, 1, 122), body=text),
        "tiff-tags.tif": _tiff(*[(k, 4, 1, 0) for k in range(20_000)]),
        "tiff-rational.tif": _tiff_of(4, 4, (282, 5, 1, 8), (283, 5, 1, 8), (256, 5, 1, 8)),
        "webp-canvas.webp": b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0" + b"\xff" * 6,
        "webp-lossless-claim.webp": _patched(webp, webp.index(b"VP8L") + 9, b"\xff\xff\xff\x0f"),
        "webp-length.webp": _patched(webp, 4, b"\xff\xff\xff\xff"),
        "webp-cut.webp": webp[:-6],
        "portable-claim.png": b"P6 60000 60000 255\n",
        "portable-bits.png": b"P4 60000 60000\n" + bytes(10),
        "portable-plain.png": b"P3 7900 7900 255\n" + b"1 " * 100,
        "postscript.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9999 9999\n%%EndComments\n%%EOF\n",
        "photoshop.png": b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, 30_000, 30_000, 8, 3),
        "icon.png": b"\0\0\1\0\1\0\0\0\0\0\1\0\x20\0" + struct.pack("<II", 2**31, 22),
        "xpm.png": b'/* XPM */\nstatic char * a[] = {\n"60000 60000 1 1",\n"a c #000000",\n',
        "svg.png": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "fits.png": b"SIMPLE  =                    T" + b" " * 50 + b"NAXIS1  = 99999".ljust(80),
    }  # fmt: skip


def run_zips(run: Mapping[str, bytes]) -> dict[str, bytes]:
    """Name -> zip, from the files of a sound run; each with one thing wrong."""
    record = json.loads(run["run.json"])
    config, first = record["config"], "activations-train.npz"
    arrays = dict(np.load(io.BytesIO(run[first])))
    meta = json.loads(str(arrays["meta"]))

    def files(changed: Mapping[str, bytes | None]) -> bytes:
        return zip_bytes(*(Part(f"run/{k}", v) for k, v in {**run, **changed}.items() if v is not None))

    def said(**changed: Any) -> bytes:
        return files({"run.json": json.dumps({**record, **changed}).encode()})

    def stored(**changed: Any) -> bytes:
        kept = {key: value for key, value in {**arrays, **changed}.items() if value is not None}
        np.savez(out := io.BytesIO(), **kept)
        return files({first: out.getvalue()})

    def member(name: str, content: bytes, **options: Any) -> bytes:
        return files({first: zip_bytes(Part(name, content, **options))})

    def beside(name: str, content: bytes = b"x", **options: Any) -> bytes:
        return zip_bytes(*(Part(f"run/{k}", v) for k, v in run.items()), Part(name, content, **options))

    n, width = arrays["features"].shape
    return {
        "record-deep": files({"run.json": b"[" * 200_000}),
        "record-deep-inside": files({"run.json": b'{"config": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"}),
        "record-list": files({"run.json": b"[1]"}),
        "record-digits": files({"run.json": b'{"config": {"seed": ' + b"9" * 10_000 + b"}}"}),
        "record-infinite": said(metrics={"validation": {"accuracy": float("inf")}}),
        "record-twice": files({"run.json": b'{"config": {}, "config": {}}'}),
        "record-utf-16": files({"run.json": json.dumps(record).encode("utf-16")}),
        "record-long": files({"run.json": json.dumps(record).encode() + b" " * 5 * MIB}),
        "record-surrogate": said(class_names=["\ud800", "b", "c"]),
        "config-none": said(config=None),
        "config-extra": said(config={**config, "__class__": "os.system"}),
        "config-negative": said(config={**config, "epochs": -1, "label_smoothing": 7}),
        "config-text": said(config={**config, "seed": "0; import os"}),
        "config-path": said(config={**config, "dataset": "/etc/passwd", "model": "../../evil.py:Net"}),
        "names-many": said(class_names=[str(i) for i in range(200_000)]),
        "names-long": said(class_names=["a" * 300_000, "b"]),
        "names-escape": said(class_names=["\x1b]0;evil\x07", "\u202eb", *record["class_names"][2:]]),
        "names-markup": said(class_names=["<img src=x onerror=alert(1)>", *record["class_names"][1:]]),
        "names-dictionary": said(class_names={"0": "a"}),
        "history-long": said(history=[{"epoch": i} for i in range(60_000)]),
        "history-nan": said(history=[{"epoch": 1, "train_loss": float("nan")}]),
        "thumbnails-claim": said(thumbnails={"train": {"columns": 10**9, "side": 10**9, "count": -1}}),
        "thumbnails-bomb": files({"thumbnails-train.webp": images()["webp-canvas.webp"]}),
        "thumbnails-postscript": files({"thumbnails-train.webp": images()["postscript.png"]}),
        "weights-pickle": files({"model.safetensors": b"\x80\x02cposix\nsystem\nX\x04\0\0\0true\x85R."}),
        "weights-claim": files({"model.safetensors": struct.pack("<Q", 2**62) + b"{}"}),
        "features-claim": member("features.npy", header("<f4", (10**7, 10**4))),
        "features-objects": member("features.npy", header("|O", (1,), b"\x80\x02N.")),
        "features-bomb": member("features.npy", npy_of(np.zeros(16 * MIB, "<f4")), deflate=True),
        "features-negative": member("features.npy", header("<f4", (-1, -1))),
        "features-code": member("features.npy", npy("__import__('os').system('true')")),
        "features-parent": member("../features.npy", npy_of(np.zeros(1))),
        "features-nan": stored(features=np.full((n, width), np.nan, "f4")),
        "features-flat": stored(features=np.zeros(n)),
        "features-complex": stored(features=np.zeros((n, width), complex)),
        "features-none": stored(features=np.zeros((0, width))),
        "labels-high": stored(labels=np.full(n, 10**6)),
        "labels-text": stored(labels=np.array(["a"] * n)),
        "labels-short": stored(labels=np.zeros(3, int)),
        "weight-other": stored(weight=np.ones((3, 2))),
        "bias-nan": stored(bias=np.full(10, np.nan)),
        "classes-none": stored(class_names=np.array([], "U1")),
        "classes-times": stored(class_names=np.zeros(10, "M8[s]")),
        "meta-none": stored(meta=None),
        "meta-version": stored(meta=np.array(json.dumps({**meta, "format_version": 10**9}))),
        "meta-code": stored(meta=np.array("__import__('os')")),
        "meta-deep": stored(meta=np.array("[" * 100_000)),
        "in-a-zip": files({first: zip_bytes(Part("run.zip", files({})))}),
        "split-odd": beside("run/activations-../../x.npz"),
        "split-cyrillic": beside("run/activations-trаin.npz", run[first]),
        "two-records": beside("other/run.json", run["run.json"]),
        "link": beside("run/snapshots-train.npz", b"/etc/passwd", attributes=0o120777 << 16),
        "program": beside("run/penviz.py", b"import os"),
        "case": beside("run/RUN.JSON", run["run.json"]),
        "encrypted": beside("run/erasure.json", flags=1),
        "back-slash": beside("run\\..\\evil", b"x"),
        "device": beside("run/NUL", b""),
        "no-activations": files({name: None for name in run if name.startswith("activations")}),
        "snapshots-garbage": files({"snapshots-train.npz": b"PK\x03\x04" + bytes(500)}),
        "snapshots-epochs": files({"snapshots-train.npz": _epochs(run)}),
    }  # fmt: skip


def header(dtype: str, shape: tuple[int, ...], content: bytes = b"") -> bytes:
    """An .npy that says what it likes."""
    return npy(f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape!r}}}", content)


def _epochs(run: Mapping[str, bytes]) -> bytes:
    stored = dict(np.load(io.BytesIO(run["snapshots-train.npz"])))
    stored["epochs"] = np.array([-1] * len(stored["epochs"]))
    np.savez(out := io.BytesIO(), **stored)
    return out.getvalue()


def zip_of(image: bytes, name: str) -> bytes:
    """A zip of images that holds it beside sound ones."""
    with zipfile.ZipFile(out := io.BytesIO(), "w") as archive:
        for label in "ab":
            for part in ("train", "val"):
                archive.writestr(f"{part}/{label}/1.png", png())
        archive.writestr(f"train/a/{name}", image)
    return out.getvalue()
