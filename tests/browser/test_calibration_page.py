"""The page "Calibration" in a browser: it draws, follows its controls, and exports what a recipe makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_paper_export import download, idle, preview_pixels

if TYPE_CHECKING:
    from conftest import Opened, Server

pytestmark = pytest.mark.browser

WORDS = "() => [...document.querySelectorAll(':is(.legendtext, .annotation-text)')].map(t => t.textContent)"
DRAWN = "n => document.querySelectorAll('.js-plotly-plot .cartesianlayer').length === n"
FIGURES = 3


def test_it_draws_follows_its_controls_and_exports(
    opened: Opened, server: Server, runs: Path, tmp_path: Path
) -> None:
    page = opened.page
    page.goto(server.url)
    page.get_by_role("link", name="Calibration").click()
    page.wait_for_function(DRAWN, arg=FIGURES, timeout=60_000)
    idle(page)
    before = page.evaluate(WORDS)
    assert any("soft: ECE" in word and "T = " in word for word in before)
    assert "temperature scaling" in page.locator("h1.pz-finding").inner_text()
    field = page.locator(".st-key-half input")
    field.fill("3")
    field.press("Enter")
    page.wait_for_function(f"old => String(({WORDS})()) !== old", arg=",".join(before), timeout=30_000)
    page.get_by_role("button", name="Export").click()
    assert preview_pixels(page) == 5.5 * 96
    figure = download(page, "Figure (PDF)", tmp_path)
    recipe = download(page, "Recipe", tmp_path)
    assert "seed: 3" in recipe.read_text()
    again = tmp_path / "again.pdf"
    command = ["figure", "--recipe", recipe, "--runs-dir", runs, "--out", again]
    done = subprocess.run(
        [sys.executable, "-m", "penviz", *map(str, command)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert again.read_bytes() == figure.read_bytes()
    assert not opened.problems


def test_another_page_shows_the_runs_that_were_shown(opened: Opened, server: Server) -> None:
    """Those of a shared link must survive the first click."""
    page = opened.page
    page.goto(f"{server.url}/?runs=hard")
    page.wait_for_selector(".js-plotly-plot .point", timeout=60_000)
    page.get_by_role("link", name="Calibration").click()
    page.wait_for_function(DRAWN, arg=FIGURES, timeout=60_000)
    idle(page)
    words = page.evaluate(WORDS)
    assert any("hard" in word for word in words)
    assert not any("soft:" in word or word == "soft" for word in words)
