"""Seeded fuzz over every reader of penviz: files, runs, recipes and links that somebody else wrote.

    PYTHONPATH=tests python -m soak.fuzz [--minutes 10] [--seed 1] [--links 60]

Sound files are changed in their bytes, inside their zips under right checksums, or in the values of their
JSON and YAML, and read. Each must be read or refused in a sentence, in bounded memory and time; none may run
code. Exit status 1 when one is not; it says the number that makes it again.
"""

from __future__ import annotations

import argparse
import faulthandler
import io
import json
import os
import random
import signal
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from external.reader.small_files import Part, zip_bytes
from external.reader.test_mutations import mutated
from soak.readers import readers

from penviz import InputError

SECONDS, MEGABYTES = 20, 300
"""What one file may take at most, on a busy machine."""

RUNS_CODE = (
    "pickle.find_class",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "socket.connect",
)
"""Events of Python's audit that no reader may raise; subprocess.Popen stands behind them."""

ODD: tuple[Any, ...] = (
    None, True, -1, 0, 2**63, 10**400, 1e300, float("nan"), float("inf"), "", "\u202e", "\x1b[2J", "\ud800",
    "=A1", "../../etc/passwd", "a" * 70_000, [], {}, [[[[[]]]]], {"a": {"b": {}}}, ["x"] * 3000,
)  # fmt: skip


@dataclass
class Found:
    """What came of the fuzz: how many each reader read and refused, faults, and what the costliest took."""

    read: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    megabytes: float = 0.0
    seconds: float = 0.0


def changed(content: bytes, name: str, dice: random.Random) -> bytes:
    """A change of one of three kinds, as far as the file lets it be made."""
    way = dice.random()
    if way < 0.5 and name.endswith((".json", ".yaml", "m")):
        tree = _tree(content, name)
        if tree is not None:
            for _ in range(dice.choice((1, 1, 3))):
                tree = _odd(tree, dice)
            return _written(tree, name)
    if way < 0.6 and content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(info.filename, archive.read(info)) for info in archive.infolist()]
        at = dice.randrange(len(members))
        member, inside = members[at]
        if dice.random() < 0.1:
            member = dice.choice(("../x", "/x", "", "a\0b", member.upper(), "\u202e" + member, member + "/"))
        members[at] = member, changed(inside, member, dice)
        if dice.random() < 0.05:
            members.append(members[0])
        deflate = dice.random() < 0.5
        return zip_bytes(*(Part(name, data, deflate=deflate) for name, data in members))
    return mutated(content, dice)


def _tree(content: bytes, name: str) -> Any:
    try:
        return yaml.safe_load(content) if name.endswith(".yaml") else json.loads(content)
    except (ValueError, yaml.YAMLError, RecursionError):
        return None


def _written(tree: Any, name: str) -> bytes:
    if name.endswith(".yaml"):
        return yaml.safe_dump(tree, sort_keys=False).encode("utf-8", "surrogatepass")
    return json.dumps(tree).encode() + b"\n"


def _odd(tree: Any, dice: random.Random) -> Any:
    """The tree with one value, somewhere, replaced, left out or moved."""
    if isinstance(tree, dict) and tree and dice.random() < 0.85:
        key = dice.choice(list(tree))
        made = dict(tree)
        way = dice.random()
        if way < 0.1:
            del made[key]
        elif way < 0.2:
            made[dice.choice(("extra", "\x1b", key + " "))] = dice.choice(ODD)
        else:
            made[key] = _odd(tree[key], dice)
        return made
    if isinstance(tree, list) and tree and dice.random() < 0.85:
        at = dice.randrange(len(tree))
        return [*tree[:at], _odd(tree[at], dice), *tree[at + dice.choice((0, 1, 1)) :]]
    if isinstance(tree, int | float) and abs(tree) < 2**53 and dice.random() < 0.3:
        return tree * dice.choice((-1, 2, 10**9, 0.5))
    return dice.choice(ODD)


_armed = False
_events: list[str] = []


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _armed and event.startswith(RUNS_CODE):
        _events.append(f"{event} {arguments!r}"[:200])


def _peak() -> float:
    return next(
        int(line.split()[1]) / 1024
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )


def _reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _strike(number: int, frame: object) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


@dataclass(frozen=True)
class Attempt:
    """What came of reading one directory: a refusal or "", what must not be or "", and what it took."""

    refusal: str
    fault: str
    megabytes: float
    seconds: float


def attempt(read: Callable[[Path], object], at: Path, canary: Path) -> Attempt:
    """Read what lies in a directory, and judge how it ends; `canary` is what code in it would make."""
    global _armed
    _hook()
    signal.signal(signal.SIGALRM, _strike)
    _reset_peak()
    before, began, fault, refusal = _peak(), time.perf_counter(), "", ""
    signal.alarm(SECONDS)
    _armed = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(at)
    except InputError as error:
        refusal = str(error).replace(str(at), "") or "nothing"
        if len(refusal) > 2000 or "Traceback" in refusal or not refusal.replace("\n", "").isprintable():
            fault = f"says {refusal[:200]!r}"
    except Exception as error:
        fault = f"{type(error).__name__}: {error}"[:300]
    finally:
        _armed = False
        signal.alarm(0)
    megabytes, seconds = _peak() - before, time.perf_counter() - began
    if megabytes > MEGABYTES:
        fault = fault or f"takes {megabytes:.0f} MB"
    if _events or canary.exists():
        fault = f"runs code: {_events}"
        _events.clear()
        if canary.exists():
            (canary.rmdir if canary.is_dir() else canary.unlink)()
    return Attempt(refusal, fault, megabytes, seconds)


def fuzz(place: Path, seed: int, numbers: Iterable[int], end: float = float("inf")) -> Found:
    """Change and read files until the numbers or the time run out.

    Each number has dice of its own, so that a single one can be made again.
    """
    canary = place / "canary"
    known = readers(place, canary)
    names, found = sorted(known), Found()
    for number in numbers:
        if time.monotonic() > end:
            break
        dice = random.Random(f"{seed} {number}")
        name = names[number % len(names)]
        reader = known[name]
        victim = dice.choice(sorted(reader.files))
        with tempfile.TemporaryDirectory(dir=place) as temporary:
            at = Path(temporary)
            for file, content in reader.files.items():
                (at / file).parent.mkdir(parents=True, exist_ok=True)
                (at / file).write_bytes(changed(content, file, dice) if file == victim else content)
            came = attempt(reader.read, at, canary)
        (found.refused if came.refusal else found.read)[name] += 1
        found.megabytes = max(found.megabytes, came.megabytes)
        found.seconds = max(found.seconds, came.seconds)
        if came.fault:
            found.faults.append(f"seed {seed}, number {number}, {name}, {victim}: {came.fault}")
    return found


def _hook() -> None:
    """Add the audit hook, once: it cannot be taken off again."""
    if not getattr(_hook, "added", False):
        sys.addaudithook(_audit)
        _hook.added = True  # type: ignore[attr-defined]


def fuzz_links(seed: int, n: int, place: Path) -> list[str]:
    """Open the app on n links with odd parameters; what went wrong in it."""
    from streamlit.testing.v1 import AppTest

    os.environ["PENVIZ_RUNS"] = str(place / "runs")
    os.environ.setdefault("PENVIZ_CACHE", str(place / "cache"))
    dice, faults = random.Random(seed), []
    keys = (
        "runs", "left", "right", "above", "scale", "bias", "n", "view", "layout", "marks", "selected", "of",
        "all-classes", "venue", "shading", "stars", "plain", "ask-runs", "ask-left", "ask-embed", "page",
    )  # fmt: skip
    values = [
        *(str(v)[:2000] for v in ODD),
        "hard",
        "cat",
        "0",
        "PCA",
        "distance",
        "true",
        "%00",
        "<script>",
        "∞",
    ]
    values = [value.encode("utf-8", "replace").decode() for value in values]
    for number in range(n):
        app = AppTest.from_file(str(Path(__file__).parents[2] / "penviz/app/main.py"), default_timeout=120)
        asked = {dice.choice(keys): dice.choice(values) for _ in range(dice.randrange(1, 6))}
        for key, value in asked.items():
            app.query_params[key] = value
        app.run()
        faults += [f"link {number} {asked}: {error.value}"[:500] for error in app.exception]
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=10, help="how long (default 10)")
    parser.add_argument("--seed", type=int, default=1, help="of all changes (default 1)")
    parser.add_argument("--number", type=int, help="make this one again, alone")
    parser.add_argument("--links", type=int, default=60, help="links of the app after that (default 60)")
    arguments = parser.parse_args()
    faulthandler.enable()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        one = arguments.number is not None
        numbers = [arguments.number] if one else range(10**9)
        end = time.monotonic() + 60 * arguments.minutes
        found = fuzz(place, arguments.seed, numbers, end)
        links = [] if one else fuzz_links(arguments.seed, arguments.links, place)
    n_read, n_refused = found.read.total(), found.refused.total()
    print(
        f"{n_read + n_refused:,} files by {len(found.read | found.refused)} readers: {n_refused:,} refused, "
        f"{len(found.faults)} faults; at most {found.megabytes:.0f} MB and {found.seconds:.1f} s a file; "
        f"{0 if one else arguments.links} links, {len(links)} faults"
    )
    print("\n".join((*found.faults, *links)))
    return 1 if found.faults or links else 0


if __name__ == "__main__":
    sys.exit(main())
