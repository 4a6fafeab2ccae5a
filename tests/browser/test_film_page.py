"""The film and the training in a real browser: played, moved by the slider, trained, cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from test_browser import idle, settled
from test_your_model import STEP, children_of, directories, eventually

if TYPE_CHECKING:
    from conftest import Opened, Server
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.browser

PLACES = """() => [...document.querySelectorAll('.js-plotly-plot .scatterlayer .point')].slice(0, 60).map(
  point => point.getAttribute('transform')).join()"""
SAID = """() => [...document.querySelectorAll('.js-plotly-plot .textpoint')].map(
  t => t.textContent.trim()).filter(t => t.startsWith('epoch'))"""


@pytest.fixture
def film(opened: Opened, server: Server, runs: Path) -> Iterator[Page]:
    """The page with the two runs, which get snapshots for as long as this test runs."""
    from small_runs import small_snapshots

    from penviz.store.snapshots import snapshots_path

    made = []
    for name, alpha in (("hard", 0.0), ("soft", 0.1)):
        for split in ("train", "validation"):
            made.append(snapshots_path(runs / name, split))
            small_snapshots(name, split, alpha, epochs=(1, 2, 3, 5, 8, 12)).save(made[-1])
    opened.page.goto(server.url)
    settled(opened.page)
    opened.page.locator(".st-key-pages").get_by_text("Training dynamics").click()
    opened.page.wait_for_selector(".js-plotly-plot .slider-container", timeout=STEP)
    opened.page.locator(".st-key-export-film").wait_for()
    idle(opened.page)
    yield opened.page
    for path in made:
        path.unlink()


def said(page: Page) -> list[str]:
    found: list[str] = page.evaluate(SAID)
    return found


def test_the_film_plays_and_the_slider_moves_it(film: Page) -> None:
    assert "Between epochs 1 and 12 ρ/d on train goes from" in film.locator("h1").inner_text()
    assert len(said(film)) == 4
    assert all(words.startswith("epoch 12 ") for words in said(film))
    end = film.evaluate(PLACES)
    film.locator(".updatemenu-button").first.click()
    seen: set[str] = set()
    places: set[str] = set()
    for _ in range(400):
        seen |= {words.split()[1] for words in said(film)}
        places.add(film.evaluate(PLACES))
        if len(seen) >= 3 and "12" in seen and len(places) > 12:
            break
        film.wait_for_timeout(40)
    assert len(seen) >= 3
    assert seen <= {"1", "2", "3", "5", "8", "12"}
    assert len(places) > 12, "points move between the epochs too"
    film.wait_for_timeout(1500)
    assert all(words.startswith("epoch 12 ") for words in said(film)), "it stops at the end"
    grip = film.locator(".slider-rail-touch-rect")
    box = grip.bounding_box()
    assert box is not None
    film.mouse.click(box["x"] + 4, box["y"] + box["height"] / 2)
    film.wait_for_timeout(900)
    assert all(words.startswith("epoch 1 ") for words in said(film))
    assert film.evaluate(PLACES) != end
    assert film.locator(".stException").count() == 0


def test_the_strip_is_exported(film: Page) -> None:
    film.locator(".st-key-header").get_by_role("button", name="Export").click()
    film.get_by_text("inches, shown at this size").wait_for(timeout=STEP)
    idle(film)
    with film.expect_download(timeout=STEP) as taken:
        film.get_by_role("button", name="Figure (PDF)").click()
    assert Path(taken.value.path()).read_bytes().startswith(b"%PDF-")
    film.keyboard.press("Escape")


def test_training_here_draws_ends_in_the_grid_and_leaves_nothing(
    opened: Opened, server: Server, browser: BrowserContext
) -> None:
    page = browser.new_page()
    page.goto(server.url)
    settled(page)
    page.get_by_text("Train a demo pair", exact=True).click()
    before, of_others = set(children_of(server.process.pid)), set(directories(server))
    page.get_by_text("until they fit: 20 epochs").click()
    page.get_by_role("button", name="Train a hard and a soft network").click()
    plane = page.locator("[class*=st-key-train-plane] .js-plotly-plot .point")
    plane.first.wait_for(timeout=STEP)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Train a demo pair", exact=True).wait_for(timeout=STEP)
    (held,) = set(directories(server)) - of_others
    assert eventually(lambda: [p.name for p in held.iterdir()] == ["runs"])
    assert not list((held / "runs").iterdir())
    page.get_by_text("Train a demo pair", exact=True).click()
    page.get_by_text("until they fit: 20 epochs").click()
    page.get_by_role("button", name="Train a hard and a soft network").click()
    page.locator(".pz-foot").filter(has_text="digits-hard, digits-soft").wait_for(timeout=STEP)
    settled(page)
    assert sorted(p.name for p in (held / "runs").iterdir()) == ["digits-hard", "digits-soft"]
    page.locator(".st-key-pages").get_by_text("Training dynamics").click()
    page.wait_for_selector(".js-plotly-plot .slider-container", timeout=STEP)
    assert "Between epochs 1 and 20" in page.locator("h1").inner_text()
    assert "torch" not in {m.partition(".")[0] for m in server.modules()}
    page.close()
    opened.page.goto(server.url)
    assert eventually(lambda: not held.exists(), 40)
    strays: Any = set(children_of(server.process.pid)) - before
    assert len(strays) <= 1, "the sandbox's server alone"
