"""Every page by axe-core, light and dark: no serious violation; and every chart says its numbers in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from test_browser import idle

if TYPE_CHECKING:
    from conftest import Opened, Server
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

PAGES = ("", "training-dynamics", "sweep", "calibration", "distillation", "your-model")
CHARTS = """() => [...document.querySelectorAll('.js-plotly-plot')].map(
  plot => plot.closest('[aria-label]')?.getAttribute('aria-label') ?? '')"""

SIDEWAYS = """() => [...document.querySelectorAll('[data-testid=stMain] *')].filter(
  e => e.scrollWidth > e.clientWidth + 1 && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX)
    && !e.closest('.pz-scroll, pre')).map(e => e.className)"""
"""Elements that scroll sideways; tables and code may."""


def serious(page: Page) -> list[str]:
    """What axe-core finds of that impact, each with the elements."""
    from axe_playwright_python.sync_playwright import Axe

    return [
        f"{found['id']}: {node['html'][:200]}"
        for found in Axe().run(page).response["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
@pytest.mark.parametrize("address", PAGES)
def test_no_serious_violation(
    opened: Opened, server: Server, filmed: object, address: str, scheme: str, width: int
) -> None:
    page = opened.page
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{server.url}/{address}")
    page.locator("h1").wait_for()
    idle(page)
    if address not in ("distillation", "your-model"):
        page.locator(".js-plotly-plot .scatterlayer").first.wait_for()
    page.wait_for_function(f"({SIDEWAYS})().length === 0", timeout=20_000)  # a narrow page is drawn again
    idle(page)
    opened.problems.clear()  # Streamlit seeks its own files first beside a page opened by its address
    assert serious(page) == []
    for words in page.evaluate(CHARTS):
        assert re.search(r"\d\.\d", words), f"a chart without its numbers in words: {words!r}"
    main = page.locator("[data-testid=stMain]")
    assert main.evaluate("e => e.scrollWidth - e.clientWidth") == 0, (
        "the page itself does not scroll sideways"
    )


def test_unfolded_charts_of_the_first_page_have_words_too(opened: Opened, server: Server) -> None:
    page = opened.page
    page.goto(server.url)
    page.get_by_text("Scatter of all triples, and matrix of all pairs of classes").click()
    page.locator(".st-key-class-matrix .main-svg").first.wait_for(timeout=60_000)
    idle(page)
    assert serious(page) == []
    assert all(re.search(r"\d\.\d", words) for words in page.evaluate(CHARTS))
    assert len(page.evaluate(CHARTS)) == 3
