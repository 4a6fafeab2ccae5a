"""Pointing, switching, selecting and morphing in the linked panels, none of which asks the server.

    python benchmarks/linked_panels.py [--rounds 15] [--per-class 5000]

On the shipped pair (SVG) and on four generated runs of 3 x 5,000 examples a panel, eight panels (WebGL), in
headless Chromium without a GPU. Milliseconds from the event to the end of the browser's next style and layout
pass, and the bytes that went over the websocket meanwhile. Painting is not in it: without a GPU it is the
software rasteriser's, and takes as long for anything else on the page. Exit status 1 when a switch or
pointing takes more than 50 ms, or anything sends a byte.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from app_start import ARGUMENTS, ROOT, open_page, serving, spread, wait_for_answer
from made_runs import make_run

MOST_MS = 50
SMOOTHING = (0.0, 0.05, 0.1, 0.2)
TIMED = """async ([act, rounds]) => {
  const panels = document.querySelector('.pzc').linked, took = [];
  const {left, top} = panels.plot.getBoundingClientRect(), {x0, y0, side} = panels.panels[0].frame;
  const acts = {
    point: i => panels.plot.dispatchEvent(new PointerEvent('pointermove', {bubbles: true,
      clientX: left + x0 + side * (0.2 + 0.6 * i / rounds), clientY: top + y0 + side / 2})),
    select: i => panels.choose(panels.panels[0].source,
      [...panels.panels[0].indices].filter((_, n) => n % rounds !== i), false),
    morph: i => panels.morph((i + 1) / rounds),
    ...Object.fromEntries(Object.keys(panels.shown).map(name => [name, () => {
      panels.shown[name] = !panels.shown[name]; panels.showMarks(); }])),
  };
  for (let i = 0; i < rounds; i++) {
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    const began = performance.now();
    acts[act](i);
    document.body.getBoundingClientRect();
    took.push(performance.now() - began);
  }
  panels.morph(0);
  panels.select({});
  return took; }"""
ACTS = ("point", "means", "boundaries", "optimum", "shading", "pull", "errors", "select", "morph")


def measured(browser: Any, runs: Path, query: dict[str, Any], rounds: int) -> bool:
    """Print one size; whether pointing and switches were quick and silent."""
    held = True
    with serving(ROOT / "app.py", runs) as (url, _):
        wait_for_answer(url)
        page = open_page(browser)
        sent: list[int] = []
        page.on(
            "websocket",
            lambda socket: [
                socket.on(way, lambda data: sent.append(len(data))) for way in ("framesent", "framereceived")
            ],
        )
        page.goto(f"{url}/?{urlencode(query, doseq=True)}")
        page.wait_for_function(
            "() => document.querySelector('.pzc')?.linked?.panels?.every(p => p.frame)", timeout=120_000
        )
        page.wait_for_timeout(4000)
        kind = page.evaluate("() => document.querySelector('.pzc').linked.gd.data[0].type")
        sizes = page.evaluate("() => document.querySelector('.pzc').linked.panels.map(p => p.x.length)")
        print(f"{len(sizes)} panels of {sizes[0]:,} ({kind})")
        for act in ACTS:
            before = sum(sent)
            took = page.evaluate(TIMED, [act, rounds])
            said = sum(sent) - before
            print(f"  {act:12}{spread(took)} ms   {said} bytes", flush=True)
            held &= said == 0 and (act in ("select", "morph") or statistics.median(took) <= MOST_MS)
        page.context.close()
    return held


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--per-class", type=int, default=5_000)
    parser.add_argument("--chromium", default=os.environ.get("PENVIZ_CHROMIUM") or shutil.which("chromium"))
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        root = Path(place)
        names = [
            make_run(root, f"alpha-{alpha}", alpha, 3, arguments.per_class, 64).name for alpha in SMOOTHING
        ]
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=[*ARGUMENTS])
        held = measured(browser, ROOT / "checkpoints", {}, arguments.rounds)
        held &= measured(browser, root, {"runs": names, "n": arguments.per_class}, arguments.rounds)
        browser.close()
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
