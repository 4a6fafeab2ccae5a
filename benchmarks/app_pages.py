"""How long a change of a control takes on the further pages, against a bare rerun with as many values.

    python benchmarks/app_pages.py --pairs 7 [--page calibration]

For each page, medians over alternating pairs: from pressing Enter in one of its number fields to the last of
its charts drawn again in headless Chromium, against a bare fragment with one Plotly line of as many values.
Once where the numbers of the new value are computed (first), and once where they are cached. Exit status 1
when a cached change takes more than twice the bare one. A page is one entry of PAGES.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from app_start import ARGUMENTS, ROOT, open_page, serving, spread, wait_for_answer

TARGET = 2.0


@dataclass(frozen=True)
class Measured:
    """A page.

    Attributes:
        label: of its link in the sidebar; field: key of a number input; values: that it takes in turn, three.
    """

    label: str
    field: str
    values: tuple[int, int, int]


PAGES = {"calibration": Measured("Calibration", "half", (1, 2, 3))}

BARE = """
import numpy as np
import plotly.graph_objects as go
import streamlit as st

st.set_page_config(layout="wide")

@st.fragment
def page():
    seed = st.number_input("seed", 0, 999, 0, key="seed")
    y = np.random.default_rng(seed).normal(size={n}).astype(np.float32)
    figure = go.Figure(go.Scatter(x=np.arange({n}, dtype=np.float32), y=y))
    st.plotly_chart(figure, theme=None, key="chart")

page()
"""

PLOTS = "[...document.querySelectorAll('.js-plotly-plot')]"
COUNT = f"() => {PLOTS}.reduce((n, p) => n + p._fullData.reduce((m, t) => m + t.x.length, 0), 0)"
LISTEN = f"""() => {{
  window.sign = p => JSON.stringify(p._fullData.map(t => [t.name, Array.from(t.y).slice(0, 20)]));
  window.old = {PLOTS}.map(sign);
  window.drawn = new Map();
  {PLOTS}.forEach(p => {{
    p.removeAllListeners && p.removeAllListeners('plotly_afterplot');
    p.on('plotly_afterplot', () => drawn.set(p, sign(p))); }});
  window.picked = null;
  document.addEventListener('keydown', event => {{
    if (event.key === 'Enter') window.picked = performance.now(); }}, {{capture: true, once: true}});
}}"""
REDRAWN = f"""() => {{
  const plots = {PLOTS};
  const fresh = p => p._fullData && !old.includes(sign(p)) && (!drawn.size || drawn.get(p) === sign(p));
  return picked !== null && plots.length === old.length && plots.every(fresh) && performance.now() - picked;
}}"""


def change_ms(page: Any, field: str, value: int) -> float:
    """From pressing Enter on another number to the last chart drawn again."""
    box = page.locator(f".st-key-{field} input")
    box.click()
    box.fill(str(value))
    page.evaluate(LISTEN)
    box.press("Enter")
    took = page.wait_for_function(REDRAWN, polling="raf", timeout=60_000).json_value()
    page.wait_for_timeout(500)
    return float(took)


def opened(browser: Any, url: str, label: str = "") -> Any:
    """A page whose charts stand still; label: of the link to follow first."""
    wait_for_answer(url)
    page = open_page(browser, url)
    page.goto(url)
    if label:
        page.get_by_role("link", name=label).click()
        page.wait_for_url(lambda address: address.rstrip("/") != url)
    page.wait_for_selector(".js-plotly-plot .main-svg", timeout=60_000)
    page.wait_for_timeout(3000)
    return page


def measure(browser: Any, one: Measured, runs: Path, pairs: int, place: Path) -> dict[str, list[float]]:
    """Milliseconds of every change: "first" where numbers are computed, "cached" where not, "bare"."""
    took: dict[str, list[float]] = {"first": [], "cached": [], "bare": []}
    with serving(ROOT / "app.py", runs) as url:
        page = opened(browser, url, one.label)
        bare = place / "bare.py"
        bare.write_text(BARE.format(n=int(page.evaluate(COUNT))))
        with serving(bare, runs) as bare_url:
            other = opened(browser, bare_url)
            took["first"] = [change_ms(page, one.field, value) for value in one.values]
            change_ms(other, "seed", 9)
            for pair in range(pairs):
                for name in ("cached", "bare") if pair % 2 == 0 else ("bare", "cached"):
                    side, field = (page, one.field) if name == "cached" else (other, "seed")
                    side.bring_to_front()
                    took[name].append(change_ms(side, field, one.values[pair % 3]))
            other.context.close()
        page.context.close()
    return took


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pairs", type=int, default=7, help="alternating pairs a page (default 7)")
    parser.add_argument("--page", choices=list(PAGES), help="one page; all when not given")
    parser.add_argument("--runs", type=Path, default=ROOT / "checkpoints", help="directory of runs")
    parser.add_argument("--chromium", default=os.environ.get("PENVIZ_CHROMIUM") or shutil.which("chromium"))
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    print(f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, ", end="")
    print(f"Streamlit {version('streamlit')}, Plotly {version('plotly')}; median [least, most]")
    missed = False
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=ARGUMENTS)
        for name in [arguments.page] if arguments.page else PAGES:
            took = measure(browser, PAGES[name], arguments.runs.resolve(), arguments.pairs, Path(place))
            ratios = [a / b for a, b in zip(took["cached"], took["bare"], strict=True)]
            held = statistics.median(ratios) <= TARGET
            missed |= not held
            for words, values in took.items():
                print(f"{name + ', ' + words + ', ms':28}{spread(values)}")
            verdict = f"   target {TARGET:g}: {'held' if held else 'MISSED'}"
            print(f"{name + ', ratio':28}{spread(ratios)}{verdict}")
        browser.close()
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
