"""How long a change of a control takes on every page, against a bare rerun with one chart of as many points.

    python benchmarks/app_pages.py --pairs 7 [--only calibration triples]

For each control, medians over alternating pairs: from the key or click that changes it to the last change
of the page, be it a chart that is drawn again or a line of text, in headless Chromium. Against it a bare
fragment with one control of the same kind and one Plotly chart with as many points as all charts of the
page, marks as marks and lines as a line. Once where the numbers of the new value are computed (first), and
once where they are cached. Exit status 1 when a cached change takes more than twice the bare one. Training
dynamics, Distillation and Sweep stand on generated runs, the other pages on those shipped.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from app_start import ARGUMENTS, ROOT, open_page, serving, spread, wait_for_answer
from made_runs import make_filmed

TARGET = 2.0


@dataclass(frozen=True)
class Measured:
    """One control of a page.

    Attributes:
        page: label of its link in the sidebar; field: what its key starts with; kind: one of WIDGETS.
        values: that it takes in turn; a toggle has none, a slider keys.
        made: whether on generated runs; before: label of what is clicked on first.
    """

    page: str
    field: str
    kind: str
    values: tuple[str, ...] = ()
    made: bool = False
    before: str = ""


STEPS = ("ArrowRight", "ArrowLeft")
CLASSES, MADE_CLASSES = ("cat", "deer", "dog"), ("class 4", "class 5", "class 6")
CLUSTERS, DYNAMICS = "Clusters", "Training dynamics"
CONTROLS = {
    "plane: class": Measured(CLUSTERS, "above", "select", CLASSES),
    "plane: scale": Measured(CLUSTERS, "scale", "choice", ("free per run", "shared", "distance = 1")),
    "plane: view": Measured(CLUSTERS, "view", "select", ("PCA", "LDA", "Template plane")),
    "plane: examples": Measured(CLUSTERS, "n", "slider", STEPS),
    "calibration: seed": Measured("Calibration", "half", "number", ("1", "2", "3")),
    "calibration: scaled": Measured("Calibration", "scaled", "toggle"),
    "distillation: run": Measured("Distillation", "runs", "choice", ("soft",), made=True),
    "dynamics: class": Measured(DYNAMICS, "above", "select", MADE_CLASSES, made=True),
    "sweep: class": Measured("Sweep", "above", "select", MADE_CLASSES, made=True),
    "sweep: split": Measured("Sweep", "splits", "choice", ("train",), made=True),
    "triples: find": Measured(CLUSTERS, "find", "choice", ("most alike", "most changed", "most confused")),
    "triples: split": Measured(CLUSTERS, "split", "choice", ("validation", "train")),
    "targets: alpha": Measured(CLUSTERS, "alpha", "slider", STEPS, before="Targets"),
    "targets: K": Measured(CLUSTERS, "k", "number", ("11", "12", "10"), before="Targets"),
    "targets: kind": Measured(
        CLUSTERS, "kind", "select", ("K sigmoids", "clipped", "uniform over all"), before="Targets"
    ),
}

WIDGETS = {
    "number": 'st.number_input("seed", 0, 999, 0, key="seed")',
    "select": 'st.selectbox("seed", range(10), key="seed")',
    "choice": 'st.pills("seed", range(10), default=0, key="seed") or 0',
    "toggle": 'int(st.toggle("seed", key="seed"))',
    "slider": 'st.slider("seed", 0, 999, 500, key="seed")',
}
BARE_VALUES = {"number": ("1", "2", "3"), "select": ("1", "2", "3"), "choice": ("1", "2", "3")}
BARE_VALUES |= {"toggle": (), "slider": STEPS}
BARE = """
import numpy as np
import plotly.graph_objects as go
import streamlit as st

st.set_page_config(layout="wide")

@st.fragment
def page():
    seed = {widget}
    rng = np.random.default_rng(seed)
    figure = go.Figure()
    for n, mode in (({marks}, "markers"), ({lines}, "lines")):
        if n:
            x, y = rng.normal(size=(2, n)).astype(np.float32)
            figure.add_trace(go.Scatter(x=x, y=y, mode=mode))
    st.plotly_chart(figure, theme=None, key="chart")

page()
"""

COUNT = """() => [...document.querySelectorAll('.js-plotly-plot')].reduce((n, p) => {
  p._fullData.filter(t => !/^alike/.test(t.uid)).forEach(
    t => { n[t.mode === 'lines' ? 1 : 0] += t.x ? t.x.length : 0; });
  return n; }, [0, 0])"""
LISTEN = """() => {
  window.picked = null;
  window.last = null;
  const soon = () => requestAnimationFrame(() => { window.last = performance.now(); });
  if (window.watching) watching.disconnect();
  window.watching = new MutationObserver(soon);
  watching.observe(document.body,
    {childList: true, characterData: true, subtree: true});
  const start = event => {
    if (event.type === 'keydown' && !['Enter', 'ArrowLeft', 'ArrowRight'].includes(event.key)) return;
    if (picked === null) window.picked = performance.now(); };
  ['keydown', 'click'].forEach(kind => document.addEventListener(kind, start, {capture: true}));
}"""
STILL = """quiet => {
  const app = document.querySelector('[data-testid=stApp]');
  const still = app.getAttribute('data-test-script-state') === 'notRunning';
  return picked !== null && last !== null && last > picked && still && performance.now() - last > quiet
    && last - picked; }"""
QUIET_MS = 500


def change_ms(page: Any, field: str, kind: str, value: str) -> float:
    """From the key or click on a control to the last change of the page."""
    box = page.locator(f".st-key-{field}")
    if not box.count():  # keys of some pages carry what they are of behind their name
        box = page.locator(f"[class*=' st-key-{field}']").first
    if kind in ("number", "select"):
        entry = box.locator("input").first
        entry.click()
        entry.fill(value)
        if kind == "select":
            page.locator("[role=option]").first.wait_for()
        page.evaluate(LISTEN)
        entry.press("Enter")
    elif kind == "slider":
        box.locator("input[type=range]").first.focus()
        page.evaluate(LISTEN)
        page.keyboard.press(value)
    else:
        target = box.locator("label").last if kind == "toggle" else box.get_by_text(value, exact=True).first
        target.scroll_into_view_if_needed()
        page.evaluate(LISTEN)
        target.click()
    took = page.wait_for_function(STILL, arg=QUIET_MS, polling=50, timeout=60_000).json_value()
    page.mouse.move(0, 0)
    return float(took)


def opened(browser: Any, url: str, label: str = "", before: str = "") -> Any:
    """A page whose charts stand still; label: of the link to follow, before: of what to click on then."""
    wait_for_answer(url.split("/?")[0])
    page = open_page(browser)
    page.goto(url)
    page.wait_for_selector(".js-plotly-plot .main-svg", timeout=60_000)
    if label and label != CLUSTERS:
        page.get_by_role("link", name=label).click()
        page.wait_for_url(lambda address: address.split("?")[0].rstrip("/") != url)
    page.wait_for_timeout(1500)
    if before:
        page.get_by_text(before, exact=True).click()
    page.wait_for_selector(".js-plotly-plot .main-svg", timeout=60_000)
    page.wait_for_timeout(2500)
    return page


def measure(browser: Any, url: str, one: Measured, pairs: int, place: Path) -> dict[str, list[float]]:
    """Milliseconds of every change: "first" where numbers are computed, "cached" where not, "bare"."""
    took: dict[str, list[float]] = {"first": [], "cached": [], "bare": []}
    page = opened(browser, url, one.page, one.before)
    marks, lines = page.evaluate(COUNT)
    bare = place / "bare.py"
    bare.write_text(BARE.format(marks=marks, lines=lines, widget=WIDGETS[one.kind]))
    values = {"cached": one.values or ("",), "bare": BARE_VALUES[one.kind] or ("",)}

    def at(name: str, i: int) -> str:
        return values[name][i % len(values[name])]

    with serving(bare, place) as (bare_url, _):
        other = opened(browser, bare_url)
        turn = max(len(values["cached"]), 2)
        took["first"] = [change_ms(page, one.field, one.kind, at("cached", i)) for i in range(turn)]
        for i in range(len(values["bare"])):
            change_ms(other, "seed", one.kind, at("bare", i))
        for pair in range(pairs):
            for name in ("cached", "bare") if pair % 2 == 0 else ("bare", "cached"):
                side, field = (page, one.field) if name == "cached" else (other, "seed")
                side.bring_to_front()
                took[name].append(change_ms(side, field, one.kind, at(name, pair)))
        other.context.close()
    page.context.close()
    return took


def run(names: Sequence[str], runs: Path, pairs: int, browser: Any) -> bool:
    """Print the table; whether any control missed the target."""
    missed = False
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        made = place / "runs"
        for name, alpha in (("hard", 0.0), ("soft", 0.1)):
            make_filmed(made, name, alpha)
        app = ROOT / "app.py"
        with serving(app, runs) as (shipped_url, _), serving(app, made) as (made_url, _):
            print(f"{'control':24}{'first, ms':>32}{'cached, ms':>32}{'bare, ms':>32}{'ratio':>28}")
            for name in names:
                one = CONTROLS[name]
                took = measure(browser, made_url if one.made else shipped_url, one, pairs, place)
                ratios = [a / b for a, b in zip(took["cached"], took["bare"], strict=True)]
                held = statistics.median(ratios) <= TARGET
                missed |= not held
                said = "".join(f"{spread(values):>32}" for values in took.values())
                print(f"{name:24}{said}{spread(ratios):>28}   {'held' if held else 'MISSED'}", flush=True)
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pairs", type=int, default=3, help="alternating pairs a control (default 3)")
    parser.add_argument("--only", nargs="*", default=[], help="controls whose names start with one of these")
    parser.add_argument("--runs", type=Path, default=ROOT / "checkpoints", help="directory of runs")
    parser.add_argument("--chromium", default=os.environ.get("PENVIZ_CHROMIUM") or shutil.which("chromium"))
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    names = [n for n in CONTROLS if not arguments.only or n.startswith(tuple(arguments.only))]
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, ", end="")
    print(f"Streamlit {version('streamlit')}, Plotly {version('plotly')}; median [least, most]; ", end="")
    print(f"aim of the ratio: {TARGET:g}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=ARGUMENTS)
        missed = run(names, arguments.runs.resolve(), arguments.pairs, browser)
        print(f"Chromium {browser.version}")
        browser.close()
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
