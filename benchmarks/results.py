"""Run every benchmark of this directory and gather what they print in benchmarks/results.md.

    python benchmarks/results.py [NAME ...] [--limit 900]

Each script runs by itself with its default arguments; those of other files keep their old section when only
some are named. A script that cannot run on this machine has the reason in its section.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import platform
import re
import signal
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PLACE = Path(__file__).resolve().parent
RESULTS = PLACE / "results.md"
PACKAGES = ("torch", "torchvision", "numpy", "pillow", "matplotlib", "streamlit", "plotly", "scikit-learn")
HEADER = """# Measured

Written by `make bench`, a section a script of this directory; nothing here is written by hand. Ratios are
medians of alternating pairs or rounds with [least, most]. What each compares with stands at the top of its
script.
"""


def processor() -> str:
    """The name of the processor as the system has it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.system()} {platform.machine()}, {processor()}, {cores} cores"


def versions() -> str:
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join([f"Python {platform.python_version()}", *found])


def section(script: Path, limit: float) -> str:
    """Run one script; its section as Markdown."""
    command = f"python benchmarks/{script.name}"
    began = datetime.datetime.now(datetime.UTC)
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    process = subprocess.Popen(
        [sys.executable, str(script)],
        cwd=PLACE.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that what it started ends with it
    )
    try:
        printed, complaint = process.communicate(timeout=limit)
        why = last_line(complaint) or f"exit status {process.returncode}"
    except subprocess.TimeoutExpired:
        _end(process)
        printed, complaint = process.communicate()
        why = f"not done after {limit:g} s"
    finally:  # the limit, Ctrl-C or the end: nothing of the script runs on
        _end(process)
    took = (datetime.datetime.now(datetime.UTC) - began).total_seconds()
    lines = [f"## {script.stem}", "", f"`{command}`, {began:%Y-%m-%d}, {took:.0f} s", ""]
    lines += [f"{machine()}{load}", "", versions(), ""]
    missed_a_target = process.returncode == 1 and "Traceback" not in complaint  # the table says which
    if process.returncode and not missed_a_target:
        lines += [f"Not run: {why}", ""]
    if printed.strip():
        lines += ["```text", printed.strip(), "```", ""]
    return "\n".join(lines)


def _end(process: subprocess.Popen[str]) -> None:
    """Kill a script and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def earlier(text: str) -> dict[str, str]:
    """Sections of an earlier results.md by the name of their script."""
    parts = re.split(r"^(?=## \w+$)", text, flags=re.MULTILINE)[1:]
    return {part.split("\n", 1)[0].removeprefix("## ").strip(): part for part in parts}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="scripts without .py; all when not given")
    parser.add_argument("--limit", type=float, default=900, help="seconds a script may take")
    options = parser.parse_args()
    found = (p for p in sorted(PLACE.glob("*.py")) if p != Path(__file__).resolve())
    scripts = {p.stem: p for p in found if "def main(" in p.read_text()}
    if unknown := sorted(set(options.names) - set(scripts)):
        parser.error(f"there is no benchmark {', '.join(unknown)}: choose from {', '.join(scripts)}")
    kept = earlier(RESULTS.read_text()) if RESULTS.is_file() else {}
    for name in options.names or scripts:
        print(f"{name} ...", flush=True)
        kept[name] = section(scripts[name], options.limit)
        whole = [HEADER, *(kept[each].rstrip() + "\n" for each in scripts if each in kept)]
        part = RESULTS.with_name(RESULTS.name + ".part")
        part.write_text("\n".join(whole))
        part.replace(RESULTS)
    print(f"Wrote {RESULTS.relative_to(Path.cwd()) if RESULTS.is_relative_to(Path.cwd()) else RESULTS}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
