"""The page "Distillation" in a real browser: drawn, changed by the runs chosen, linked to the grid."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from penviz.store.pilots import write_pilot
from penviz.store.runs import RUN_FILE

sys.path.insert(0, str(Path(__file__).parents[1]))  # test_pilots

from test_pilots import small_pilot

if TYPE_CHECKING:
    from conftest import Opened, Server
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

HEAVY = {"torch", "torchvision", "sklearn", "scipy", "pandas", "umap"}


@pytest.fixture(scope="module")
def with_results(runs: Path) -> Iterator[Path]:
    """The usual runs, one with erasure in its history, and a test of both beside them."""
    path = runs / "hard" / RUN_FILE
    before = path.read_text()
    record = json.loads(before)
    keys = ("mutual_information", "train_wrong_logit_spread", "validation_wrong_logit_spread")
    keys += ("train_instability", "validation_instability")
    record["history"] = [{"epoch": e} | dict.fromkeys(keys, 3.0 / e) for e in range(1, 9)]
    path.write_text(json.dumps(record))
    (runs / "pilot").mkdir()
    write_pilot(small_pilot(runs / "pilot"))
    yield runs
    path.write_text(before)
    for file in (runs / "pilot").iterdir():
        file.unlink()
    (runs / "pilot").rmdir()


def settled(page: Page, plots: int) -> None:
    page.wait_for_function(
        """n => document.querySelectorAll('.js-plotly-plot .scatterlayer').length >= n &&
          document.querySelector('.stApp').getAttribute('data-test-script-state') !== 'running'""",
        arg=plots,
        timeout=60_000,
    )
    page.wait_for_timeout(300)
    assert page.locator(".stException").count() == 0


def from_the_sidebar(page: Page, server: Server) -> None:
    """Open the page; its headline comes first, because the grid has as many panels as it has charts."""
    page.goto(server.url)
    page.locator(".st-key-pages").get_by_text("Distillation").click()
    page.get_by_text("Is this a good teacher? Clusters alone cannot tell you.", exact=True).wait_for()


def test_page_from_the_sidebar_to_the_grid_and_back(
    opened: Opened, server: Server, with_results: Path
) -> None:
    page = opened.page
    from_the_sidebar(page, server)
    settled(page, 4)  # three charts over training, one of students
    assert page.locator(".js-plotly-plot").count() == 2
    rows = page.locator("table.pz-table").first.locator("tbody tr")
    assert [row.split()[0] for row in rows.all_inner_texts()] == ["hard", "soft"]
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    page.locator("[data-testid=stButtonGroup] button").filter(has_text="soft").first.click()
    page.wait_for_function("document.querySelector('table.pz-table tbody').rows.length === 1")
    settled(page, 4)
    assert page.locator(".stCode").inner_text().count("/soft") == 0
    assert not server.modules() & HEAVY


def test_narrow_window_has_no_sideways_scroll(opened: Opened, server: Server, with_results: Path) -> None:
    page = opened.page
    from_the_sidebar(page, server)
    settled(page, 4)
    page.set_viewport_size({"width": 760, "height": 900})
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    page.set_viewport_size({"width": 1280, "height": 800})
