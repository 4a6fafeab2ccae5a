"""The popover of targets in a real browser: numbers beside the bars, and the controls change both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Opened, Server
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

BARS = "document.querySelector('.st-key-targets-chart .js-plotly-plot')?._fullData?.at(-1)?.y"


def bars(page: Page) -> list[float]:
    """Heights of the drawn target vector."""
    return [round(float(v), 4) for v in page.evaluate(f"Array.from({BARS})")]


@pytest.fixture
def targets_page(server: Server, opened: Opened) -> Page:
    opened.page.goto(server.url)
    opened.page.get_by_role("button", name="Targets").click(timeout=60_000)
    opened.page.wait_for_selector(".st-key-targets-chart .bars", timeout=60_000, state="attached")
    return opened.page


def test_numbers_and_bars_follow_the_controls(targets_page: Page) -> None:
    page = targets_page
    assert bars(page) == [0.91] + [0.01] * 9
    assert "0.1111" in page.inner_text(".st-key-targets-body table.pz-table")
    page.get_by_role("combobox", name="Kind of targets").click()
    page.get_by_role("option", name="uniform over the others").click()
    page.get_by_text("the true class has 0.9, every other class has 0.0111").wait_for()
    page.wait_for_function(f"Math.abs(({BARS} ?? [0])[0] - 0.9) < 1e-6")
    assert bars(page) == [0.9] + [0.0111] * 9
    page.get_by_role("spinbutton", name="Classes K").fill("2")
    page.keyboard.press("Enter")
    page.wait_for_function(f"({BARS} ?? []).length === 2")
    assert bars(page) == [0.9, 0.1]


def test_the_link_holds_the_choices(targets_page: Page) -> None:
    page = targets_page
    page.get_by_role("combobox", name="Kind of targets").click()
    page.get_by_role("option", name="the pair (alpha, 1 - alpha)").click()
    page.get_by_text("sum to 1.8 and not to 1").wait_for()
    assert "kind=the+pair" in page.url
    page.get_by_text("penviz train DATASET").wait_for(state="detached")
