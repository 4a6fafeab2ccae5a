"""The way out to a paper in a real browser: preview, download, and the same bytes again from the recipe."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_browser import choose, idle

if TYPE_CHECKING:
    from conftest import Opened, Server
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.browser


def download(page: Page, button: str, place: Path) -> Path:
    idle(page)
    with page.expect_download(timeout=60_000) as got:
        page.get_by_role("button", name=button).click()
    path = place / got.value.suggested_filename
    got.value.save_as(path)
    return path


def preview_pixels(page: Page) -> int:
    page.wait_for_selector("[role=dialog] img", timeout=60_000)
    page.wait_for_function("() => document.querySelector('[role=dialog] img').complete")
    return round(page.locator("[role=dialog] img").evaluate("i => i.getBoundingClientRect().width"))


def test_bundle_is_rebuilt_from_its_recipe(
    opened: Opened, server: Server, runs: Path, tmp_path: Path
) -> None:
    page = opened.page
    page.goto(server.url)
    page.wait_for_selector(".js-plotly-plot .point", timeout=60_000)
    page.get_by_role("button", name="Export", exact=True).click()
    assert preview_pixels(page) == 5.5 * 96  # NeurIPS' text width, at true size
    choose(page, "venue", "ICML")
    page.wait_for_function(
        "() => Math.round(document.querySelector('[role=dialog] img').getBoundingClientRect().width) === 648"
    )
    whole = download(page, "Bundle", tmp_path)
    alone = download(page, "Figure (PDF)", tmp_path)
    with zipfile.ZipFile(whole) as file:
        file.extractall(tmp_path / "bundle")
    drawn = (tmp_path / "bundle" / "figure.pdf").read_bytes()
    assert drawn == alone.read_bytes()
    assert {"points.csv", "numbers.tex", "caption.txt"} <= {p.name for p in (tmp_path / "bundle").iterdir()}
    again = tmp_path / "again.pdf"
    recipe = tmp_path / "bundle" / "recipe.yaml"
    done = subprocess.run(
        [sys.executable, "-m", "penviz", "figure", "--recipe", str(recipe), "--out", str(again)],
        cwd=runs,
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert again.read_bytes() == drawn
    assert "torch" not in server.modules()


def test_png_has_the_pixels_of_its_width(opened: Opened, server: Server, tmp_path: Path) -> None:
    page = opened.page
    page.goto(server.url)
    page.wait_for_selector(".js-plotly-plot .point", timeout=60_000)
    page.get_by_role("button", name="Export", exact=True).click()
    preview_pixels(page)
    choose(page, "format", "PNG")
    page.get_by_role("button", name="Figure (PNG)").wait_for()
    png = download(page, "Figure (PNG)", tmp_path).read_bytes()
    assert struct.unpack(">I", png[16:20])[0] == 5.5 * 300


def saved_recipe(page: Page, place: Path) -> bytes:
    page.wait_for_selector(".js-plotly-plot .point", timeout=60_000)
    idle(page)
    page.get_by_role("button", name="Export", exact=True).click()
    preview_pixels(page)
    idle(page)
    return download(page, "Recipe", place).read_bytes()


def opened_recipe(browser: BrowserContext, server: Server, recipe: bytes, word: str, place: Path) -> Page:
    """A new page that shows a recipe; its link then holds the word."""
    (place / "mine.yaml").write_bytes(recipe)
    page = browser.new_page()
    page.goto(server.url)
    page.wait_for_selector(".js-plotly-plot .point", timeout=60_000)
    page.get_by_role("button", name="Share").click()
    page.locator("input[type=file]").set_input_files(place / "mine.yaml")
    page.wait_for_function("word => location.search.includes(word)", arg=word)
    page.keyboard.press("Escape")
    return page


def test_link_and_recipe_say_the_same(
    opened: Opened, server: Server, browser: BrowserContext, tmp_path: Path
) -> None:
    page = opened.page
    page.goto(server.url)
    page.wait_for_selector(".js-plotly-plot .point", timeout=60_000)
    choose(page, "above", "ship")
    idle(page)
    page.locator(".st-key-bias label").first.click()
    page.locator(".st-key-scale button").filter(has_text="free per run").click()
    idle(page)
    link = page.url
    first = saved_recipe(page, tmp_path)
    assert b"ship" in first
    assert b"scale: own" in first
    assert b"bias: false" in first

    by_link = browser.new_page()
    by_link.goto(link)
    assert saved_recipe(by_link, tmp_path) == first

    by_file = opened_recipe(browser, server, first, "ship", tmp_path)
    assert saved_recipe(by_file, tmp_path) == first


def typed(page: Page, words: str) -> None:
    field = page.locator(".st-key-paper-own-width input")
    field.fill(words)
    field.press("Enter")
    idle(page)


def test_a_width_typed_by_hand_and_marks_of_the_papers_own(
    opened: Opened, server: Server, browser: BrowserContext, tmp_path: Path
) -> None:
    page = opened.page
    page.goto(server.url)
    page.wait_for_selector(".js-plotly-plot .point", timeout=60_000)
    page.get_by_role("button", name="Export", exact=True).click()
    preview_pixels(page)
    choose(page, "paper-width", "typed by hand")
    typed(page, "wide")
    page.get_by_text("'wide' is not a width: write one as 5.5in, 140mm, 14cm or 397pt.").wait_for()
    assert page.locator("[role=dialog] img").count() == 0
    typed(page, "140mm")
    assert preview_pixels(page) == round(140 / 25.4 * 96)
    page.locator(".st-key-paper-marks button").filter(has_text="shading").click()
    idle(page)
    recipe = download(page, "Recipe", tmp_path).read_bytes()
    assert b"width: 140mm" in recipe
    assert b"shading: false" in recipe
    assert b"means: true" in recipe
    assert "shading" not in page.url, "the screen keeps its own"
    other = opened_recipe(browser, server, recipe, "shading", tmp_path)
    assert saved_recipe(other, tmp_path) == recipe


def test_the_html_opens_offline_with_every_point(browser: BrowserContext, runs: Path, tmp_path: Path) -> None:
    path = tmp_path / "figure.html"
    subprocess.run(
        [sys.executable, "-m", "penviz", "figure", *sorted(map(str, runs.iterdir())), "--out", str(path)],
        check=True,
        capture_output=True,
    )
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector(".js-plotly-plot .point")
    assert page.locator(".js-plotly-plot .cartesianlayer .subplot").count() >= 2
    assert [url for url in asked if url.startswith("http")] == []
