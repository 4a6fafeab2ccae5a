"""The film and the training in a real browser: played, moved by the slider, trained, cancelled."""

from __future__ import annotations

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
def film(opened: Opened, server: Server, filmed: tuple[int, ...]) -> Page:
    """The page with the two runs."""
    opened.page.goto(server.url)
    settled(opened.page)
    opened.page.locator(".st-key-pages").get_by_text("Training dynamics").click()
    opened.page.wait_for_selector(".js-plotly-plot .slider-container", timeout=STEP)
    opened.page.locator(".st-key-export-film").wait_for()
    idle(opened.page)
    return opened.page


CLOCK = """() => {
  const plot = document.querySelector('.st-key-film .js-plotly-plot');
  const middle = e => { const box = e.getBoundingClientRect(); return box.x + box.width / 2 };
  const ticks = [...plot.querySelectorAll('.slider-tick-rect')].map(middle), last = ticks.length - 1;
  const along = (x, from, to) => (x - from) / (to - from);
  return { grip: along(middle(plot.querySelector('.slider-grip-rect')), ticks[0], ticks[last]),
    marks: plot._fullData.filter(trace => trace.name === 'epoch shown').map(trace => {
      const axis = plot._fullLayout['xaxis' + trace.xaxis.slice(1)];
      const path = plot.querySelector(`.trace${trace.uid} path.js-line`).getAttribute('d');
      return along(parseFloat(path.slice(1)), axis.l2p(0), axis.l2p(last)) }) } }"""
"""How far the slider's grip is along its ticks, and each mark along the steps of its curve, in [0, 1]."""


def said(page: Page) -> list[str]:
    found: list[str] = page.evaluate(SAID)
    return found


def watched(page: Page, what: str) -> list[Any]:
    """What a function of the page gives, frame after frame, for as long as the film lasts."""
    page.evaluate(
        """([what, end]) => { const look = eval(what); window.seen = [];
          const next = () => { window.seen.push(look());
            if (performance.now() < end) requestAnimationFrame(next) };
          end += performance.now(); next() }""",
        [what, 4000],
    )
    page.wait_for_timeout(5000)
    found: list[Any] = page.evaluate("window.seen")
    return found


def test_the_film_plays_and_the_slider_moves_it(film: Page, filmed: tuple[int, ...]) -> None:
    assert "Between epochs 1 and 12 ρ/d on train goes from" in film.locator("h1").inner_text()
    assert len(said(film)) == 4
    assert all(words.startswith("epoch 12 ") for words in said(film))
    end = film.evaluate(PLACES)
    film.locator(".updatemenu-button").first.click()
    shown = watched(film, f"() => [({SAID})(), ({PLACES})()]")
    seen = {words.split()[1] for said_then, _ in shown for words in said_then}
    assert len(seen) >= 3
    assert seen <= {str(epoch) for epoch in filmed}
    assert len({places for _, places in shown}) > len(filmed), "points move between the epochs too"
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


def test_slider_and_curves_are_one_clock_and_ask_no_server(film: Page, filmed: tuple[int, ...]) -> None:
    film.evaluate(
        """() => { const send = WebSocket.prototype.send; window.sent = 0;
          WebSocket.prototype.send = function (data) { window.sent += 1; return send.call(this, data) } }"""
    )
    last = len(filmed) - 1
    box = film.locator(".slider-rail-touch-rect").bounding_box()
    ticks = [tick.bounding_box() for tick in film.locator(".slider-tick-rect").all()]
    assert box is not None
    for step in (3, last, 1, 0):
        place = ticks[step]
        assert place is not None
        film.mouse.click(place["x"], box["y"] + box["height"] / 2)
        film.wait_for_timeout(1200)
        clock = film.evaluate(CLOCK)
        assert clock["grip"] == pytest.approx(step / last, abs=0.005)
        assert clock["marks"] == pytest.approx([step / last] * 6, abs=0.005)
        assert all(words.startswith(f"epoch {filmed[step]} ") for words in said(film))
    film.locator(".updatemenu-button").first.click()
    between = 0
    for clock in watched(film, CLOCK):
        assert clock["marks"] == pytest.approx([clock["grip"]] * 6, abs=1.01 / last), "at most a step apart"
        between += 0.05 < (clock["marks"][0] * last) % 1 < 0.95
    assert between > 3, "the mark moves between the epochs too"
    assert [clock["grip"], *clock["marks"]] == pytest.approx([1] * 7, abs=0.005), "both end at the last epoch"
    assert film.evaluate("window.sent") == 0


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
    page.get_by_text("20 epochs, until they fit").click()
    page.get_by_role("button", name="Train a hard and a soft network").click()
    plane = page.locator("[class*=st-key-train-plane] .js-plotly-plot .point")
    plane.first.wait_for(timeout=STEP)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Train a demo pair", exact=True).wait_for(timeout=STEP)
    (held,) = set(directories(server)) - of_others
    assert eventually(lambda: [p.name for p in held.iterdir()] == ["runs"])
    assert not list((held / "runs").iterdir())
    page.get_by_text("Train a demo pair", exact=True).click()
    page.get_by_text("20 epochs, until they fit").click()
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
