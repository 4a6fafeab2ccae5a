"""The app under five browsers and thirty raw clients: uploads, removals and changes of triple.

    PYTHONPATH=tests:benchmarks python -m soak.app [--minutes 10] [--browsers 5] [--clients 30]

Browsers bring sound and hostile files to "Your model", wait for the card, remove it and look at the clusters;
clients speak Streamlit's messages and change classes; each leaves and comes back now and then. Exit status 1
when a visitor sees an exception, the log holds an error, the server ends, a visitor's files stay, or, in five
minutes and more, the app's median memory of the last minute is 10 % above that of the third.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app_scale import resident_mb
from app_start import ARGUMENTS, free_port, wait_for_answer
from app_visitors import Visitor
from browser.conftest import find_chromium
from external.reader.small_files import head_safetensors, image_folder, network
from small_runs import make_run
from soak.bombs import images, zip_of

ROOT = Path(__file__).parents[2]
MOST_GROWTH = 0.10
STEP_MS = 120_000


@dataclass
class Told:
    """What visitors did and saw; several threads add to it."""

    counts: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def did(self, what: str) -> None:
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1


def client(url: str, end: float, seed: int, told: Told) -> None:
    """A raw client: some changes of triple, then a new session."""
    dice = random.Random(seed)
    while time.monotonic() < end:
        visitor = Visitor(url, {})
        visitor.open()
        told.did("sessions of clients")
        for turn in range(dice.randrange(3, 30)):
            if time.monotonic() > end:
                break
            visitor.change_class(turn)
            told.did("changes by clients")
        visitor.close()
        told.errors += [f"client {seed}: {error}" for error in visitor.errors]


def browser(url: str, end: float, seed: int, told: Told, files: list[Path], profile: Path) -> None:
    """A browser: brings a file, removes it, looks at the clusters; a new page each time."""
    from playwright.sync_api import sync_playwright

    dice = random.Random(seed)
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile), executable_path=find_chromium(), headless=True, args=ARGUMENTS
        )
        context.set_default_timeout(STEP_MS)
        while time.monotonic() < end:
            page = context.new_page()
            page.on("pageerror", lambda error: told.errors.append(f"browser {seed}: {error}"[:300]))
            page.goto(url)
            page.locator(".pz-finding").first.wait_for()
            told.did("pages of clusters")
            page.goto(f"{url}/your-model")
            page.wait_for_selector("[data-testid=stFileUploader]")
            page.set_input_files("input[type=file]", str(dice.choice(files)))
            page.wait_for_selector("[class*=st-key-card-]")
            told.did("uploads")
            if dice.random() < 0.8:  # else the visitor leaves it, and leaving removes it
                page.locator("[class*=st-key-remove-] button").first.click()
                page.wait_for_function("!document.querySelector('[class*=st-key-card-]')")
                told.did("removals")
            if page.locator("[data-testid=stException]").count():
                told.errors.append(
                    f"browser {seed}: {page.locator('[data-testid=stException]').first.inner_text()}"
                )
            page.close()
        context.close()


def guarded(visit: Callable[[], None], what: str, told: Told) -> None:
    try:
        visit()
    except Exception as error:  # a visitor that is turned away is what is looked for
        told.errors.append(f"{what}: {type(error).__name__}: {error}"[:400])


def hostile_and_sound(place: Path) -> list[Path]:
    """Files that browsers bring."""
    contents: dict[str, bytes] = {
        "theirs.pth": network(10),
        "theirs.safetensors": head_safetensors(10),
        "pets.zip": image_folder(),
        "pickle.pkl": b"cos\nsystem\n(S'true'\ntR.",
        "garbage.npz": b"PK\x03\x04" + bytes(3000),
        "bomb.zip": zip_of(images()["png-flat-81-megapixels.png"], "x.png"),
    }
    for name, content in contents.items():
        (place / name).write_bytes(content)
    return [place / name for name in contents]


def server_mb(pid: int) -> float:
    """Memory of the app's process and of the sandbox's server below it."""
    found = resident_mb(pid)
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            try:
                found += resident_mb(int(child))
            except OSError:  # it has ended
                continue
    return found


def soak(place: Path, minutes: float, n_browsers: int, n_clients: int) -> tuple[list[str], list[str]]:
    """Run it; lines that say what happened, and what must not have."""
    runs, temporary = place / "runs", place / "temporary"
    temporary.mkdir()
    for name, alpha in (("hard", 0.0), ("soft", 0.1)):
        make_run(runs, name, alpha, per_class=110, thumbnails=True)
    files, port, told = hostile_and_sound(place), free_port(), Told()
    log = place / "log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.headless=true"),
                *(f"--server.port={port}", "--server.address=127.0.0.1"),
            ],
            cwd=ROOT,
            env=os.environ
            | {"PENVIZ_RUNS": str(runs), "TMPDIR": str(temporary), "PENVIZ_CACHE": str(place / "cache")},
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    memory: list[tuple[float, float, float]] = []
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for_answer(url)
        began = time.monotonic()
        end = began + 60 * minutes
        visits: list[Any] = [
            (lambda k=k: client(url, end, k, told), f"client {k}") for k in range(n_clients)
        ] + [
            (lambda k=k: browser(url, end, k, told, files, place / f"profile-{k}"), f"browser {k}")
            for k in range(n_browsers)
        ]
        threads = [threading.Thread(target=guarded, args=(*visit, told)) for visit in visits]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads) and process.poll() is None:
            memory.append((time.monotonic() - began, resident_mb(process.pid), server_mb(process.pid)))
            time.sleep(1)
        for thread in threads:
            thread.join(10)
        deadline = time.monotonic() + 60  # visitors are waited for before their files go
        while list(temporary.glob("penviz-visitors-*/session-*")) and time.monotonic() < deadline:
            time.sleep(0.5)
        left = [path.name for path in temporary.glob("penviz-visitors-*/session-*")]
        ended = process.poll()
    finally:
        process.terminate()
        process.wait()
    text = log.read_text(errors="replace")
    faults = list(dict.fromkeys(told.errors))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    at = [k for k, line in enumerate(plain) if "Traceback" in line or " ERROR " in line]
    faults += ["log: " + "\n".join(plain[k : k + 90][-60:]) for k in at[:3]]
    faults += [f"the server ended with status {ended}"] if ended is not None else []
    faults += [f"{len(left)} directories of visitors stayed"] if left else []
    lines = [", ".join(f"{n:,} {what}" for what, n in sorted(told.counts.items()))]
    for column, words in ((1, "app"), (2, "app and sandbox")):
        medians = minute_medians([(row[0], row[column]) for row in memory if row[0] < 60 * minutes])
        settled = medians[min(2, len(medians) - 1)]
        growth = medians[-1] / settled - 1
        by_minute = " ".join(f"{median:.0f}" for median in medians)
        most = max(row[column] for row in memory)
        lines.append(
            f"memory of the {words}, median of each minute, MB: {by_minute} ({100 * growth:+.1f} % from the "
            f"third to the last); at most {most:.0f}"
        )
        if column == 1 and minutes >= 5 and growth > MOST_GROWTH:
            faults.append("the app's memory grows")
    return lines, faults


def minute_medians(samples: list[tuple[float, float]]) -> list[float]:
    """Median of each whole minute of samples (seconds, MB); one sample is a peak or a trough by chance."""
    minutes = int(max(samples)[0] // 60) or 1
    return [
        statistics.median([mb for at, mb in samples if k <= at / 60 < k + 1 or minutes == 1])
        for k in range(minutes)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=10, help="how long (default 10)")
    parser.add_argument("--browsers", type=int, default=5, help="headless browsers (default 5)")
    parser.add_argument("--clients", type=int, default=30, help="raw clients (default 30)")
    arguments = parser.parse_args()
    if arguments.browsers and find_chromium() is None:
        print("There is no Chromium: install Debian's chromium or set PENVIZ_CHROMIUM.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        lines, faults = soak(Path(temporary), arguments.minutes, arguments.browsers, arguments.clients)
    print(f"{arguments.minutes:g} min, {arguments.browsers} browsers, {arguments.clients} clients")
    print("\n".join((*lines, f"{len(faults)} faults", *faults)))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
