"""Pickles that would run code: every opcode and disguise by which one can."""

from __future__ import annotations

import struct
from pathlib import Path

from external.reader.small_files import (
    call,
    mapping,
    name,
    number,
    numbers,
    pickled,
    text,
)


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
