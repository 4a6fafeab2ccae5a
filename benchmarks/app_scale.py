"""The first page at 3 x 100, 3 x 5,000 and 3 x 100,000 examples a panel, with up to eight panels.

    python benchmarks/app_scale.py [--sizes 100 5000 100000] [--runs 4] [--visitors 1 5 20] [--minutes 0.25]

On generated runs of four classes. For each size: from the start of the server to the drawn grid, and a change
of triple, of run and of view, in headless Chromium, against a bare fragment with one chart of as many points
as are drawn; bytes that a visitor is sent; and visitors at once, each changing triples without a pause:
seconds a change, errors, and the server's memory over time. These visitors are websocket clients that speak
Streamlit's messages (app_visitors.py), no browsers. Exit status 1 when more than 10 MB are sent for the first
page, a change of triple takes more than twice the bare one at the largest size, a visitor sees an error, or
memory is at some time more than 10 % above that after the first fifth, a minute of `--minutes 5`; shorter
visits are mostly the warming up, and their memory is only told.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import tempfile
import threading
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from app_pages import CONTROLS, change_ms, measure
from app_start import ARGUMENTS, ROOT, open_page, serving, spread, wait_for_answer
from app_visitors import Visitor
from made_runs import make_run

MOST_BYTES, MOST_RATIO, MOST_GROWTH, SETTLED_MINUTES = 10e6, 2.0, 0.10, 5
CLASSES = ("class 3", "class 2")  # the page opens with class 2


def resident_mb(pid: int) -> float:
    """Memory of a process that is its own or shared, MB (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return float(status.split("VmRSS:")[1].split()[0]) / 1024


def in_browser(browser: Any, runs: Path, query: dict[str, list[str]], pairs: int, place: Path) -> bool:
    """Start and changes of one size; whether the change of triple held."""
    began = time.perf_counter()
    with serving(ROOT / "app.py", runs) as (url, _):
        wait_for_answer(url)
        page = open_page(browser)
        page.goto(f"{url}/?{urlencode(query, doseq=True)}")
        panels = "n => document.querySelectorAll('.js-plotly-plot .xaxislayer-above').length >= n"
        page.wait_for_function(panels, arg=len(query["runs"]), timeout=180_000)
        print(f"  {'cold start to grid, s':34}{time.perf_counter() - began:8.2f}", flush=True)
        page.wait_for_timeout(3000)
        run = query["runs"][-1]
        for words, kind, field, values in (
            ("change of run, ms", "choice", "runs", (run, run)),
            ("change of view, ms", "select", "view", ("PCA", "Template plane")),
        ):
            took = [change_ms(page, field, kind, value) for value in values * 2]
            print(f"  {words:34}{spread(took)}", flush=True)
        page.context.close()
        one = replace(CONTROLS["plane: class"], values=CLASSES)
        took = measure(browser, f"{url}/?{urlencode(query, doseq=True)}", one, pairs, place)
    ratios = [a / b for a, b in zip(took["cached"], took["bare"], strict=True)]
    for words, values in (
        ("change of triple, first, ms", took["first"]),
        ("change of triple, cached, ms", took["cached"]),
        ("bare rerun, ms", took["bare"]),
        ("ratio of the cached", ratios),
    ):
        print(f"  {words:34}{spread(values)}", flush=True)
    return statistics.median(ratios) <= MOST_RATIO


def with_visitors(runs: Path, query: dict[str, list[str]], n: int, minutes: float) -> bool:
    """Visitors at once on a fresh server; whether bytes, errors and memory held."""
    took: list[float] = []
    errors: list[str] = []
    sent: list[int] = []
    with serving(ROOT / "app.py", runs) as (url, pid):
        wait_for_answer(url)
        empty = resident_mb(pid)
        first = Visitor(url, query)
        first.open()
        sent.append(first.sent)
        one = resident_mb(pid)
        end = time.monotonic() + 60 * minutes

        def visit(number: int) -> None:
            try:
                visitor = Visitor(url, query)
                visitor.open()
                turn = number
                while time.monotonic() < end:
                    took.append(visitor.change_class(turn))
                    turn += 1
                errors.extend(visitor.errors)
                visitor.close()
            except Exception as error:  # a visitor that is turned away is what is looked for
                errors.append(f"{type(error).__name__}: {error}")

        threads = [threading.Thread(target=visit, args=(k,)) for k in range(n)]
        for thread in threads:
            thread.start()
        memory: list[tuple[float, float]] = []
        while any(thread.is_alive() for thread in threads):
            memory.append((time.monotonic() - end + 60 * minutes, resident_mb(pid)))
            time.sleep(1)
        first.close()
    settled = [mb for at, mb in memory if at >= 12 * minutes] or [memory[-1][1]]
    growth = max(settled) / settled[0] - 1
    print(
        f"  {f'{n} visitor(s), {minutes:g} min':34}{len(took)} changes, {statistics.median(took):.2f} s each "
        f"[{min(took):.2f}, {max(took):.2f}], {len(errors)} errors; memory {empty:.0f} MB empty, {one:.0f} "
        f"with one, {settled[0]:.0f} after a fifth of the time, {max(settled):.0f} at most after it "
        f"({100 * growth:+.1f} %); {(max(settled) - one) / n:.1f} MB a visitor; first page "
        f"{sent[0] / 1e6:.2f} MB",
        flush=True,
    )
    for error in dict.fromkeys(errors):
        print(f"    {error}")
    flat = growth <= MOST_GROWTH or minutes < SETTLED_MINUTES
    return not errors and flat and sent[0] <= MOST_BYTES


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[100, 5_000, 100_000], help="examples a class"
    )
    parser.add_argument("--runs", type=int, default=4, help="runs shown, two panels each (default 4)")
    parser.add_argument("--drawn", type=int, help="examples drawn a class; what the page draws at first")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of changes (default 5)")
    parser.add_argument("--visitors", type=int, nargs="*", default=[1, 5, 20], help="visitors at once")
    parser.add_argument("--minutes", type=float, default=0.25, help="that they stay (default 0.25)")
    parser.add_argument("--no-browser", action="store_true", help="visitors only")
    parser.add_argument("--chromium", default=os.environ.get("PENVIZ_CHROMIUM") or shutil.which("chromium"))
    arguments = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, ", end="")
    print(f"Streamlit {version('streamlit')}, Plotly {version('plotly')}; median [least, most]")
    held = True
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        for n in arguments.sizes:
            runs = place / f"runs-{n}"
            alphas = [0.05 * k for k in range(arguments.runs)]
            names = [make_run(runs, f"alpha-{a:g}", a, 4, n, 32).name for a in alphas]
            query = {"runs": names} | ({"n": [str(arguments.drawn)]} if arguments.drawn else {})
            print(f"3 x {n:,} examples a panel, {2 * len(names)} panels", flush=True)
            if not arguments.no_browser:
                from playwright.sync_api import sync_playwright

                with sync_playwright() as playwright:
                    browser = playwright.chromium.launch(executable_path=arguments.chromium, args=ARGUMENTS)
                    quick = in_browser(browser, runs, query, arguments.pairs, place)
                    held &= quick or n < max(arguments.sizes)
                    browser.close()
            for visitors in arguments.visitors:
                held &= with_visitors(runs, query, visitors, arguments.minutes)
            shutil.rmtree(runs)
    print("held" if held else "MISSED")
    return int(not held)


if __name__ == "__main__":
    raise SystemExit(main())
