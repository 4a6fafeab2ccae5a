"""How long the page takes, against a bare Streamlit page with one Plotly scatter of as many points.

    python benchmarks/app_start.py --pairs 7

Three numbers, each a median over alternating pairs: from the start of `streamlit run app.py` to the drawn
grid in headless Chromium; from picking another class to the new grid, against a bare fragment rerun; and the
server's part of a change of class. Exit status 1 when a target is missed: 1.5 times, 2 times, 100 ms.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_TARGET, CHANGE_TARGET, SERVER_TARGET_MS = 1.5, 2.0, 100.0

BARE = """
import numpy as np
import plotly.graph_objects as go
import streamlit as st

st.set_page_config(layout="wide")

@st.fragment
def page():
    seed = st.selectbox("seed", range(10), key="seed")
    xy = np.random.default_rng(seed).normal(size=({n}, 2)).astype(np.float32)
    figure = go.Figure(go.Scatter(x=xy[:, 0], y=xy[:, 1], mode="markers"))
    st.plotly_chart(figure, theme=None, key="chart", on_select="rerun")

page()
"""

COUNT = """() => [...document.querySelectorAll('.js-plotly-plot .scatterlayer > .trace')].filter(
  trace => trace.style.display !== 'none').map(
  trace => trace.querySelectorAll('.point').length).reduce((a, b) => a + b, 0)"""
DRAWN = f"n => ({COUNT})() >= n"
FIRSTS = """[...document.querySelectorAll('.js-plotly-plot .scatterlayer')].map(
  layer => layer.querySelector('.point')?.getAttribute('transform'))"""
LISTEN = (
    f"() => {{ window.firsts = {FIRSTS};"
    + """
  window.picked = null;
  document.addEventListener('keydown', event => {
    if (event.key === 'Enter') window.picked = performance.now(); }, {capture: true, once: true});
}"""
)
REDRAWN = f"""n => window.picked !== null && {FIRSTS}.every((place, i) => place !== window.firsts[i])
  && ({COUNT})() >= n && performance.now() - window.picked"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def serving(script: Path, runs: Path) -> Iterator[tuple[str, int]]:
    """A Streamlit server of a script in a process of its own; gives its address and process id at once."""
    port = free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "streamlit", "run", str(script), "--server.headless=true"),
            *(f"--server.port={port}", "--server.address=127.0.0.1"),
        ],
        cwd=ROOT,
        env=os.environ | {"PENVIZ_RUNS": str(runs)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait()


def wait_for_answer(url: str) -> None:
    for _ in range(6000):
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.01)
    raise SystemExit("A server did not answer within a minute.")


def open_page(browser: Any) -> Any:
    return browser.new_context(viewport={"width": 1280, "height": 800}).new_page()


def start_seconds(browser: Any, script: Path, runs: Path, n_points: int) -> float:
    """From the start of the process to the last point drawn, with an empty browser cache."""
    began = time.perf_counter()
    with serving(script, runs) as (url, _):
        wait_for_answer(url)
        page = open_page(browser)
        page.goto(url)
        page.wait_for_function(DRAWN, arg=n_points, polling="raf", timeout=60_000)
        took = time.perf_counter() - began
        page.context.close()
    return took


def change_ms(page: Any, key: str, option: str, n_points: int) -> float:
    """From pressing Enter on another option to the last point of the new picture."""
    field = page.locator(f"[class*=st-key-{key}] input")
    field.click()
    field.fill(option)
    page.locator("[role=option]").first.wait_for()
    page.evaluate(LISTEN)
    field.press("Enter")
    took = page.wait_for_function(REDRAWN, arg=n_points, polling="raf", timeout=60_000).json_value()
    page.wait_for_timeout(400)
    return float(took)


def server_ms(runs: Path, changes: int) -> list[float]:
    """The server's part of a change of class: the whole script, run in this process."""
    logging.disable(logging.WARNING)
    os.environ["PENVIZ_RUNS"] = str(runs)
    sys.path.insert(0, str(ROOT))
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "penviz" / "app" / "main.py"), default_timeout=120).run()
    took = []
    for i in range(changes):
        above = next(box for box in app.selectbox if str(box.key).startswith("above"))
        above.set_value(2 + i % 3)
        began = time.perf_counter()
        app.run()
        took.append((time.perf_counter() - began) * 1000)
    return took[1:]


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):8.2f}   [{min(values):.2f}, {max(values):.2f}]"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pairs", type=int, default=7, help="alternating pairs a number (default 7)")
    parser.add_argument("--runs", type=Path, default=ROOT / "checkpoints", help="directory of runs")
    parser.add_argument("--chromium", default=os.environ.get("PENVIZ_CHROMIUM") or shutil.which("chromium"))
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    app, runs = ROOT / "app.py", arguments.runs.resolve()
    starts: dict[str, list[float]] = {"app": [], "bare": []}
    changes: dict[str, list[float]] = {"app": [], "bare": []}
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=ARGUMENTS)
        bare = Path(place) / "bare.py"
        with serving(app, runs) as (url, _):
            wait_for_answer(url)
            page = open_page(browser)
            page.goto(url)
            page.wait_for_function(DRAWN, arg=100, timeout=60_000)
            page.wait_for_timeout(3000)
            n_points = int(page.evaluate(COUNT))
            page.context.close()
        bare.write_text(BARE.format(n=n_points))
        sides = {"app": app, "bare": bare}
        for pair in range(arguments.pairs):
            for name in ("app", "bare") if pair % 2 == 0 else ("bare", "app"):
                starts[name].append(start_seconds(browser, sides[name], runs, n_points))
        with serving(app, runs) as (url, _), serving(bare, runs) as (bare_url, _):
            pages = {}
            for name, address in (("app", url), ("bare", bare_url)):
                wait_for_answer(address)
                pages[name] = open_page(browser)
                pages[name].goto(address)
                pages[name].wait_for_function(DRAWN, arg=n_points, timeout=60_000)
                pages[name].wait_for_timeout(1000)
            for pair in range(arguments.pairs + 1):
                options = {
                    "app": ("above", ("cat", "deer", "dog")[pair % 3]),
                    "bare": ("seed", str(1 + pair % 3)),
                }
                for name in ("app", "bare") if pair % 2 == 0 else ("bare", "app"):
                    pages[name].bring_to_front()
                    took = change_ms(pages[name], *options[name], n_points)
                    if pair:  # the first of each warms the caches
                        changes[name].append(took)
        browser_version = browser.version
        browser.close()
    server = server_ms(runs, 3 * arguments.pairs)
    start_ratios = [a / b for a, b in zip(starts["app"], starts["bare"], strict=True)]
    change_ratios = [a / b for a, b in zip(changes["app"], changes["bare"], strict=True)]
    rows = [
        ("start, app, s", starts["app"], None),
        ("start, bare, s", starts["bare"], None),
        ("start, ratio", start_ratios, START_TARGET),
        ("change, app, ms", changes["app"], None),
        ("change, bare, ms", changes["bare"], None),
        ("change, ratio", change_ratios, CHANGE_TARGET),
        ("server, ms", server, SERVER_TARGET_MS),
    ]
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, OMP_NUM_THREADS {threads}")
    print(
        f"Python {platform.python_version()}, Streamlit {version('streamlit')}, Plotly {version('plotly')}, "
        f"NumPy {version('numpy')}, Chromium {browser_version}"
    )
    print(f"{n_points} points, {arguments.pairs} alternating pairs; median [least, most]")
    missed = False
    for words, values, target in rows:
        verdict = ""
        if target is not None:
            held = statistics.median(values) <= target
            missed |= not held
            verdict = f"   target {target:g}: {'held' if held else 'MISSED'}"
        print(f"{words:18}{spread(values)}{verdict}")
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
