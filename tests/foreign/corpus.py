"""Hostile and broken files with what must become of each: a refusal in one sentence, or a correct report.

Those that would run code make a canary, a file or a directory, if any reader ever executes them.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from foreign.small_files import (
    Part,
    call,
    entry,
    floats,
    head_safetensors,
    image_folder,
    mapping,
    name,
    network,
    npy,
    npy_of,
    number,
    numbers,
    pickled,
    png,
    safetensors,
    storage,
    tensor,
    text,
    torch_parts,
    torch_zip,
    zip_bytes,
)

MIB = 2**20


@dataclass(frozen=True)
class HostileFile:
    """A file and what must become of it.

    Attributes:
        path: of the file; kind: what the report must call it.
        expectation: "refused", or "report" for a file that is odd and may be loaded.
        says: a pattern that the sentence of refusal must hold; fields: what the report must say.
        runs_code: pickle.load of the file, or of the pickle in it, touches the canary.
    """

    path: Path
    kind: str
    expectation: str
    says: str = ""
    fields: Mapping[str, object] = field(default_factory=dict)
    runs_code: bool = False

    @property
    def label(self) -> str:
        """Its name, for a test's report."""
        return self.path.name


def hostile_files(directory: Path, canary: Path) -> list[HostileFile]:
    """Write the whole corpus into a directory."""
    files: list[HostileFile] = []

    def put(
        label: str, data: bytes, kind: str, says: str | dict[str, object], runs_code: bool = False
    ) -> None:
        path = directory / label
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if isinstance(says, str):
            files.append(HostileFile(path, kind, "refused", says, runs_code=runs_code))
        else:
            files.append(HostileFile(path, kind, "report", fields=says))

    for label, pickle in code_routes(canary).items():
        put(f"code-{label}.pt", torch_zip(pickle, {"0": floats(4)}), "torch zip", "", runs_code=True)
        if label in ("reduce", "protocol-0", "inst", "stack-global", "int-desync", "nested"):
            put(f"legacy-{label}.pth", pickle, "legacy pickle", "pickle outside a zip", runs_code=True)
    for groups in (_pickles, _tensors, _zips, _safetensors, _arrays, _images, _others, _broken):
        groups(put, canary)
    _odd(put)
    _on_disk(directory, files)
    return files


def code_routes(canary: Path) -> dict[str, bytes]:
    """Pickles that make the canary, a file or a directory, when they are loaded, each by another opcode."""
    path = text(str(canary))
    words = b"]" + text("touch") + b"a" + text(str(canary)) + b"a"
    old = str(canary)
    short = old.encode()
    lazy = name("builtins.map") + b"(" + name("posix.mkdir") + b"]" + path + b"at\x81"  # runs when it is read
    space = name("types.SimpleNamespace") + b")R"
    extend = call("copyreg.add_extension", text("posix"), text("mkdir"), number(240))
    inner = pickled(call("posix.mkdir", path))
    return {
        "reduce": pickled(call("posix.mkdir", path)),
        "reduce-os": pickled(call("os.system", text(f"touch {canary}"))),
        "eval": pickled(call("builtins.eval", text(f"open({str(canary)!r}, 'w')"))),
        "exec": pickled(call("builtins.exec", text(f"open({str(canary)!r}, 'w')"))),
        "open": pickled(call("builtins.open", text(str(canary)), text("w"))),
        "popen": pickled(call("subprocess.call", words)),
        "python-2-names": pickled(call("__builtin__.eval", text(f"open({str(canary)!r}, 'w')"))),
        "protocol-0": f"cposix\nmkdir\n(V{old}\ntR.".encode(),
        "protocol-0-string": f"cposix\nmkdir\n(S'{old}'\ntR.".encode(),
        "protocol-1": b"cposix\nmkdir\n(U" + bytes([len(short)]) + short + b"tR.",
        "inst": b"(V" + short + b"\niposix\nmkdir\n.",
        "inst-class": b"(" + words + b"isubprocess\nPopen\n.",
        "obj": pickled(b"(" + name("subprocess.Popen") + words + b"o"),
        "newobj": pickled(name("builtins.tuple") + b"(" + lazy + b"t\x81"),
        "newobj-ex": b"\x80\x04" + name("builtins.frozenset") + b"(" + lazy + b"t}\x92.",
        "build": pickled(space + mapping({"__setstate__": name("posix.mkdir")}) + b"b" + path + b"b"),
        "append": pickled(space + mapping({"append": name("posix.mkdir")}) + b"b" + path + b"a"),
        "appends": pickled(space + mapping({"append": name("posix.mkdir")}) + b"b(" + path + b"e"),
        "additems": b"\x80\x04" + space + mapping({"add": name("posix.mkdir")}) + b"b(" + path + b"\x90.",
        "extension": pickled(extend + b"0\x82\xf0(" + path + b"tR"),
        "extension-2": pickled(extend + b"0\x83\xf0\x00(" + path + b"tR"),
        "extension-4": pickled(extend + b"0\x84\xf0\x00\x00\x00(" + path + b"tR"),
        "stack-global": b"\x80\x04" + text("posix") + text("mkdir") + b"\x93(" + path + b"tR.",
        "stack-global-dotted": b"\x80\x04" + text("shutil") + text("os.mkdir") + b"\x93(" + path + b"tR.",
        "stack-global-memo": b"\x80\x04"
        + text("posix")
        + b"\x940"
        + text("mkdir")
        + b"\x940h\x00h\x01\x93("
        + path
        + b"tR.",
        "getattr": pickled(
            call("builtins.getattr", call("builtins.__import__", text("os")), text("mkdir"))
            + b"("
            + path
            + b"tR"
        ),
        "nested": pickled(call("_pickle.loads", b"B" + struct.pack("<I", len(inner)) + inner)),
        "nested-pickle": pickled(call("pickle.loads", b"B" + struct.pack("<I", len(inner)) + inner)),
        "memo": pickled(
            name("collections.OrderedDict") + b"q\x000" + name("posix.mkdir") + b"q\x000h\x00(" + path + b"tR"
        ),
        "dropped": pickled(call("posix.mkdir", path) + b"0}"),
        "dropped-to-mark": pickled(b"(" + call("posix.mkdir", path) + b"1}"),
        "as-key": pickled(b"}" + call("posix.mkdir", path) + b"Ns"),
        "int-desync": pickled(b"I1\0\n0" + call("posix.mkdir", path)),
        "in-frame": b"\x80\x04\x95" + struct.pack("<Q", len(inner) - 2) + inner[2:],
        "partial": pickled(call("functools.partial", name("posix.mkdir"), path) + b")R"),
        "methodcaller": pickled(
            call("operator.methodcaller", text("mkdir"), path)
            + b"("
            + call("builtins.__import__", text("os"))
            + b"tR"
        ),
        "timeit": pickled(call("timeit.timeit", text(""), text(f"open({str(canary)!r}, 'w')"))),
        "runpy": pickled(call("runpy._run_code", text(f"open({str(canary)!r}, 'w')"), b"}")),
        "array": pickled(
            call("numpy.core.multiarray._reconstruct", name("numpy.ndarray"), numbers((0,)), b"C\x01b")
            + call("posix.mkdir", path)
            + b"\x86"
        ),
        "allowed-then-not": pickled(
            mapping({"w": call("collections.OrderedDict"), "x": call("posix.mkdir", path)})
        ),
    }


Put = Callable[..., None]


def _pickles(put: Put, canary: Path) -> None:
    """Pickles that call nothing foreign and are made to break their reader."""
    data = {"0": floats(4)}

    def torch(label: str, pickle: bytes, says: str | dict[str, object]) -> None:
        put(f"pickle-{label}.pt", torch_zip(pickle, data), "torch zip", says)

    hooks = name("collections.OrderedDict")
    laughs = b"]q\x00" + b"".join(
        b"]" + b"h" + bytes([i]) + b"a" + b"h" + bytes([i]) + b"aq" + bytes([i + 1]) for i in range(40)
    )
    torch("opcode-flood", pickled(b"]" * (15 * MIB)), "opcodes")
    torch("too-long", pickled(b"N0" * (9 * MIB)), "bytes")
    torch("deep-tuples", pickled(b"N" + b"\x85" * 900_000), "no tensors|deeper")
    torch("deep-lists", pickled(b"]" * 400_000 + b"a" * 399_999), "deeper|no tensors")
    torch("marks", pickled(b"(" * 5000 + b"N" + b"t" * 5000), "deeper")
    torch("laughs", pickled(b"(" + laughs + b"l"), "repeats")
    torch("cycle", pickled(b"]q\x00h\x00a"), "deeper|no tensors")
    torch("cycle-of-dictionaries", pickled(b"}q\x00" + text("a") + b"h\x00s"), "deeper|no tensors")
    torch("memo-index", pickled(b"Nr\xff\xff\xff\xff"), "memo")
    torch("memo-missing", pickled(b"h\x07"), "never kept")
    torch("text-claim", pickled(b"X\xff\xff\xff\xff"), "claims")
    torch("text-claim-8", b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b".", "claims")
    torch("bytes-claim-8", b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b".", "claims")
    torch("long-claim", pickled(b"\x8b" + struct.pack("<i", 2**31 - 1)), "claims")
    torch("long-negative", pickled(b"\x8b" + struct.pack("<i", -5)), "claims")
    torch("string-negative", pickled(b"T" + struct.pack("<i", -5)), "claims")
    torch("integer-of-a-million-digits", pickled(b"I" + b"9" * 900_000 + b"\n"), "integer")
    torch("frame-claim", b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"}.", "cut short")
    torch("protocol-9", b"\x80\x09}.", "protocol")
    torch("unknown-opcode", pickled(b"}\xfe"), "opcode")
    torch("buffer", b"\x80\x05\x97.", "opcode")
    torch("no-stop", b"\x80\x02}", "cut short")
    torch("empty-pickle", b"", "cut short")
    torch("empty-stack", pickled(b""), "missing")
    torch("two-items", pickled(b"NN"), "more than one")
    torch("pop-mark", pickled(b"(t(0t"), "missing")
    torch(
        "second-pickle",
        pickled(b"}") + pickled(call("posix.system", text(f"touch {canary}"))),
        "behind the end",
    )
    torch("set-item-of-a-list", pickled(b"]" + text("a") + b"Ns"), "no dictionary")
    torch(
        "set-item-of-a-tensor",
        pickled(tensor("0", (4,)) + number(0) + number(1) + b"s"),
        "sets items of torch",
    )
    torch("append-to-a-dictionary", pickled(b"}Na"), "no list")
    torch("call-of-a-dtype", pickled(name("torch.float32") + b")R"), "calls torch.float32")
    torch("call-of-a-text", pickled(text("posix.system") + b")R"), "no name")
    torch("arguments-that-are-none", pickled(hooks + b"]R"), "no arguments")
    torch("name-with-a-line", b"\x80\x04" + text("os\nsystem") + text("x") + b"\x93.", "a name that is none")
    torch("name-from-numbers", b"\x80\x04K\x01K\x02\x93.", "a name that is none")
    torch(
        "module-reference",
        pickled(b"(" + text("module") + text("a") + text("b") + text("c") + b"tQ"),
        "no storage",
    )
    torch("text-reference", b"Pstorage\n.", "no storage")
    torch(
        "hidden-reference",
        pickled(mapping({"w": tensor("0", (4,)), "x": b"(" + text("module") + b"tQ"})),
        "no storage",
    )
    torch(
        "whole-module", pickled(name("torch.nn.modules.linear.Linear") + b")\x81}b"), "whole pickled module"
    )
    torch("own-class", pickled(name("my_code.Trainer") + b")\x81}b"), "my_code.Trainer")
    torch("no-tensors", pickled(mapping({"epoch": number(3)})), "no tensors")
    torch("terminal-key", pickled(mapping({"\x1b[2Jw": tensor("0", (4,))})), "cannot be shown")
    torch("long-key", pickled(mapping({"w" * 5000: tensor("0", (4,))})), "cannot be shown")
    torch("surrogate-key", pickled(mapping({"\ud800": tensor("0", (4,))})), "cannot be shown")
    torch(
        "terminal-extra",
        pickled(mapping({"w": tensor("0", (4,)), "arch": text("\x1b]0;x\x07")})),
        {"extras": {"arch": "\\x1b]0;x\\x07"}},
    )
    twice = b"}(" + text("w") + tensor("0", (4,)) + text("w") + tensor("0", (2,), n=4) + b"u"
    torch("key-twice", pickled(twice), "have the name")
    weights = mapping({"w": tensor("0", (4,))})
    torch("wrapper-twice", pickled(b"}(" + (text("model") + weights) * 2 + b"u"), "have the name")


def _tensors(put: Put, canary: Path) -> None:
    """Tensors that claim more than their storage holds."""

    def torch(
        label: str, items: dict[str, bytes], says: str, sizes: tuple[int, ...] = (4,), **more: object
    ) -> None:
        data = {str(i): floats(n) for i, n in enumerate(sizes)}
        put(f"tensor-{label}.pt", torch_zip(pickled(mapping(items)), data), "torch zip", says)

    torch("stride-0", {"w": tensor("0", (10**6, 10**6), n=4, stride=(0, 0))}, "larger than")
    torch("stride-0-small", {"w": tensor("0", (8,), n=4, stride=(0,))}, "larger than")
    torch("stride-2-62", {"w": tensor("0", (2,), n=4, stride=(2**61,))}, "larger than")
    torch("stride-negative", {"w": tensor("0", (2,), n=4, stride=(-1,), offset=3)}, "described")
    torch("offset", {"w": tensor("0", (4,), n=4, offset=1)}, "larger than")
    torch("offset-negative", {"w": tensor("0", (4,), n=4, offset=-1)}, "described")
    torch("too-large", {"w": tensor("0", (5,), n=4)}, "larger than")
    torch("product-overflows", {"w": tensor("0", (2**33, 2**33), n=4, stride=(0, 0))}, "more numbers")
    torch("a-thousand-axes", {"w": tensor("0", (1,) * 1000, n=4, stride=(1,) * 1000)}, "axes")
    torch("storage-too-short", {"w": tensor("0", (1000,), n=1000)}, "length")
    torch("storage-too-long", {"w": tensor("0", (4,), n=2)}, "length")
    torch("storage-missing", {"w": tensor("7", (4,))}, "does not hold")
    torch("storage-outside", {"w": tensor("../../../etc/passwd", (4,))}, "does not hold")
    torch("storage-negative", {"w": tensor("0", (4,), n=-4)}, "length")
    torch("storage-of-objects", {"w": tensor("0", (4,), kind="torch.Tensor")}, "kind")
    torch(
        "shape-of-text",
        {
            "w": call(
                "torch._utils._rebuild_tensor_v2",
                storage("0", 4),
                number(0),
                text("ab"),
                text("ab"),
                b"\x89",
                b"N",
            )
        },
        "described",
    )
    torch("few-arguments", {"w": call("torch._utils._rebuild_tensor_v2", storage("0", 4))}, "described")
    torch(
        "parameter-of-nothing",
        {"w": call("torch._utils._rebuild_parameter", b"N", b"\x89", b"N")},
        "described",
    )
    torch(
        "a-thousand-views", {f"w{i}": tensor("0", (1000,)) for i in range(1000)}, "times the bytes", (1000,)
    )
    torch(
        "30000-tensors", {f"w{i}": tensor("0", (1,), n=4) for i in range(30_000)}, "more than 20,000|opcodes"
    )
    torch(
        "tied",
        {"a": tensor("0", (2, 2)), "b": tensor("0", (2, 2), stride=(1, 2))},
        {"n_parameters": 8},
    )
    torch(
        "quantised",
        {"w": call("torch._utils._rebuild_qtensor", storage("0", 4, "torch.QInt8Storage"))},
        "QInt8Storage",
    )
    big = torch_parts(pickled(mapping({"w": tensor("0", (4,))})), {"0": floats(4)})
    big[1] = Part("archive/byteorder", b"big")
    put("tensor-big-endian.pt", zip_bytes(*big), "torch zip", "big-endian")


def _zips(put: Put, canary: Path) -> None:
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


def _safetensors(put: Put, canary: Path) -> None:
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


def _arrays(put: Put, canary: Path) -> None:
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


def _images(put: Put, canary: Path) -> None:
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


def _others(put: Put, canary: Path) -> None:
    put("empty.pt", b"", "empty", "empty")
    put("random.safetensors", np.random.default_rng(0).bytes(10_000), "unknown", "does not read")
    put("zeros.pt", bytes(10_000), "unknown", "does not read")
    put("keras.pt", b"\x89HDF\r\n\x1a\n" + bytes(100), "unknown", "HDF5")
    put("gzip.pt", b"\x1f\x8b\x08" + bytes(100), "unknown", "gzip")
    put("program.pt", b"\x7fELF" + bytes(100), "unknown", "program")
    put("page.pt", b"<!DOCTYPE html><html>Not found</html>", "unknown", "web page")
    put("pointer.pt", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "unknown", "LFS")
    put("script.pt", b"#!/bin/sh\nrm -rf x\n", "unknown", "script")
    put("tar.pt", b"a.txt".ljust(257, b"\0") + b"ustar" + bytes(300), "unknown", "tar")
    model = b"\x08\x09" + b"\x3a\x10" + b"\x6a\x08location" + bytes(6)
    put("model.onnx", model, "ONNX", "ONNX")
    put("table.csv", b"a,b\n1,2\n3,x\n", "csv", "tables")
    put("one-line.csv", b"a," * (2 * MIB), "csv", "line")
    put("columns.csv", b"a," * 30_000 + b"\n", "csv", "columns")
    put("footer.parquet", b"PAR1" + bytes(20) + struct.pack("<I", 2**31) + b"PAR1", "parquet", "damaged|cut")
    put(
        "long-list.parquet",
        b"PAR1\x19\xfc\xff\xff\xff\xff\x0f" + struct.pack("<I", 7) + b"PAR1",
        "parquet",
        "columns|damaged",
    )
    put("garbage.parquet", b"PAR1" + b"\xff" * 50 + struct.pack("<I", 50) + b"PAR1", "parquet", "damaged")
    put(
        "run.zip",
        zip_bytes(Part("run/run.json", b"{}"), Part("run/evil.py", b"x")),
        "penviz run",
        "no file of a run",
    )
    put("run-damaged.zip", zip_bytes(Part("run/run.json", b"[" * 9999)), "penviz run", "JSON")
    put("nested.zip", zip_bytes(Part("a.zip", network()), Part("b.pt", network())), "unknown", "neither")


def _broken(put: Put, canary: Path) -> None:
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


def _odd(put: Put) -> None:
    """Odd files that are sound."""
    put(
        "nan.pt",
        network(fill=float("nan")),
        "torch zip",
        {"not_finite": ("body.weight", "head.weight", "head.bias")},
    )
    put("one-class.pt", network(1), "torch zip", {"n_classes": 1})
    put("many-classes.pt", network(100_000, 2), "torch zip", {"n_classes": 100_000})


def _on_disk(directory: Path, files: list[HostileFile]) -> None:
    """Files that are long without taking room, indexes of shards, and a link to the outside."""

    def sparse(label: str, head: bytes, length: int, kind: str, says: str) -> None:
        path = directory / label
        path.write_bytes(head)
        os.truncate(path, length)
        files.append(HostileFile(path, kind, "refused", says))

    sparse("sparse-10-gb.pt", b"", 10 * 10**9, "unknown", "GiB")
    sparse("sparse-10-gb.safetensors", safetensors({"w": entry([4], 0, 16)}), 10 * 10**9, "unknown", "GiB")
    sparse("header-100-mb.safetensors", safetensors(b"{", length=10**8), 2 * 10**8, "safetensors", "claims")
    sparse("sparse-zip.pt", b"PK\x03\x04", 2**28, "unknown", "cut short")

    def index(label: str, places: dict[str, str], says: str, shards: dict[str, bytes]) -> None:
        folder = directory / label
        folder.mkdir()
        for shard, data in shards.items():
            (folder / shard).write_bytes(data)
        path = folder / "model.safetensors.index.json"
        path.write_text(json.dumps({"weight_map": places}))
        files.append(HostileFile(path, "safetensors", "refused", says))

    head = {"a.safetensors": head_safetensors(10)}
    both = {"head.weight": "a.safetensors", "head.bias": "a.safetensors"}
    index("shard-parent", {"w": "../../../etc/passwd"}, "outside", {})
    index("shard-absolute", {"w": "/etc/passwd"}, "outside", {})
    index("shard-missing", {**both, "w": "b.safetensors"}, "missing", head)
    index(
        "shard-elsewhere",
        {**both, "head.bias": "b.safetensors"},
        "place",
        {**head, "b.safetensors": head_safetensors(10)},
    )
    index("shard-short", {**both, "more": "a.safetensors"}, "names 3", head)
    index("shard-pickle", {"w": "a.safetensors"}, "no safetensors", {"a.safetensors": pickled(b"N")})
    index("shard-none", {}, "weight_map", {})
