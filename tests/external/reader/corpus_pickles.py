"""Torch files without foreign code that are made to break their reader: in the pickle, and in the tensors."""

from __future__ import annotations

import struct
from pathlib import Path

from external.reader.small_files import (
    OLD_MAGIC,
    Part,
    Put,
    call,
    floats,
    mapping,
    name,
    number,
    old_torch,
    pickled,
    storage,
    tensor,
    text,
    torch_parts,
    torch_zip,
    zip_bytes,
)

MIB = 2**20


def pickle_files(put: Put, canary: Path) -> None:
    """Pickles that call nothing foreign and are made to break their reader."""
    data = {"0": floats(4)}

    def torch(label: str, pickle: bytes, says: str | dict[str, object]) -> None:
        put(f"pickle-{label}.pt", torch_zip(pickle, data), "torch zip", says)
        put(f"old-pickle-{label}.pth", old_torch(pickle, data), "legacy torch file", says)

    hooks = name("collections.OrderedDict")
    laughs = b"]q\x00" + b"".join(
        b"]" + b"h" + bytes([i]) + b"a" + b"h" + bytes([i]) + b"aq" + bytes([i + 1]) for i in range(40)
    )
    torch("opcode-flood", pickled(b"]" * (15 * MIB)), "opcodes")
    torch("too-long", pickled(b"N0" * (9 * MIB)), "bytes|opcodes")
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
    torch("no-stop", b"\x80\x02}", "cut short|more than one")
    torch("empty-pickle", b"", "cut short|opcode")
    torch("empty-stack", pickled(b""), "missing")
    torch("two-items", pickled(b"NN"), "more than one")
    torch("pop-mark", pickled(b"(t(0t"), "missing")
    torch(
        "second-pickle",
        pickled(b"}") + pickled(call("posix.system", text(f"touch {canary}"))),
        "behind the end|posix.system",
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
        "whole pickled module",
    )
    torch("text-reference", b"Pstorage\n.", "no storage")
    torch(
        "hidden-reference",
        pickled(mapping({"w": tensor("0", (4,)), "x": b"(" + text("module") + b"tQ"})),
        "whole pickled module",
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


def tensor_files(put: Put, canary: Path) -> None:
    """Tensors that claim more than their storage holds."""

    def torch(
        label: str, items: dict[str, bytes], says: str, sizes: tuple[int, ...] = (4,), **more: object
    ) -> None:
        data = {str(i): floats(n) for i, n in enumerate(sizes)}
        put(f"tensor-{label}.pt", torch_zip(pickled(mapping(items)), data), "torch zip", says)
        put(f"old-tensor-{label}.pth", old_torch(pickled(mapping(items)), data), "legacy torch file", says)

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


def old_files(put: Put, canary: Path) -> None:
    """What only the form of before torch 1.6 can do: pickles before and behind, counts, views of storages."""
    evil = pickled(call("posix.system", text(f"touch {canary}")))
    weights = pickled(mapping({"w": tensor("0", (4,))}))
    data = {"0": floats(4)}

    def old(label: str, content: bytes, says: str | dict[str, object]) -> None:
        put(f"old-{label}.pth", content, "legacy torch file", says)

    sound = old_torch(weights, data)
    start = sound.index(weights[:20])
    old("sound", sound, {"n_parameters": 4})
    old("evil-version", OLD_MAGIC + evil + sound[len(OLD_MAGIC) :], "posix.system")
    old("evil-machine", OLD_MAGIC + pickled(number(1001)) + evil + sound, "posix.system")
    old("evil-keys", old_torch(weights, data, keys=evil), "posix.system")
    old("dropped-in-the-keys", old_torch(weights, data, keys=evil[:-1] + b"0]" + text("0") + b"a."), "posix")
    old("evil-behind", sound + evil, "cut short|behind")
    old(
        "version",
        OLD_MAGIC + pickled(number(1002)) + sound[len(OLD_MAGIC) + len(pickled(number(1001))) :],
        "form",
    )
    old("big-endian", old_torch(weights, data, little=b"\x89"), "big-endian")
    old("no-machine", OLD_MAGIC + pickled(number(1001)) + pickled(b"N") + sound[start:], "big-endian")
    old("keys-none", old_torch(weights, data, keys=pickled(b"N")), "no list")
    old("keys-of-numbers", old_torch(weights, data, keys=pickled(b"]" + number(0) + b"a")), "no list")
    old("keys-twice", old_torch(weights, data, keys=pickled(b"](" + text("0") * 2 + b"e")), "same key")
    old("keys-more", old_torch(weights, data, keys=pickled(b"](" + text("0") + text("1") + b"e")), "describe")
    old("keys-fewer", old_torch(weights, data, keys=pickled(b"]")), "does not hold")
    old("keys-30000", old_torch(weights, data, keys=pickled(b"](" + text("0") * 30_000 + b"e")), "20,000")
    for label, count in (("less", 3), ("more", 5), ("much", 2**61), ("negative", -4)):
        old(f"count-{label}", sound[:-24] + struct.pack("<q", count) + floats(4), "length")
    much = old_torch(pickled(mapping({"w": tensor("0", (4,), n=2**59)})), data)
    old("claim", much[:-24] + struct.pack("<q", 2**59) + floats(4), "cut short")
    two = mapping({"a": tensor("0", (4,)), "b": tensor("0", (4,), kind="torch.DoubleStorage")})
    old("two-kinds", old_torch(pickled(two), data), "two ways")
    old("cut", sound[:-1], "cut short")
    old("longer", sound + b"\0", "behind")

    def viewed(label: str, views: tuple[tuple[str, int, int], ...], says: str | dict[str, object]) -> None:
        """Tensors of two numbers, each over a part of the same storage."""
        parts = [tensor("0", (2,), n=4)[:] for _ in views]
        for i, (key, offset, n) in enumerate(views):
            part = b"(" + text(key) + number(offset) + number(n) + b"t"
            parts[i] = parts[i].replace(b"tQ", part + b"t\x51", 1)
        body = pickled(mapping({f"w{i}": part for i, part in enumerate(parts)}))
        content = old_torch(body, data).replace(b"tNtQ", b"ttQ")
        old(f"view-{label}", content, says)

    viewed("sound", (("1", 0, 2), ("2", 2, 2)), {"n_parameters": 4})
    viewed("outside", (("1", 3, 2),), "larger than that storage")
    viewed("short", (("1", 0, 1),), "larger than its storage")
    viewed("two-ways", (("1", 0, 2), ("1", 2, 2)), "two ways")
    viewed("of-itself", (("0", 0, 2),), "two ways")
    viewed("negative", (("1", -1, 2),), "no storage")
    tar = b"storages\0".ljust(257, b"\0") + b"ustar".ljust(255, b"\0") + evil
    old("tar", tar, "a tar of torch")
