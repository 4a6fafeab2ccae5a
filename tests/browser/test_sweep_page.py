"""The page of sweeps and its alpha slider in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Opened, Server
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

IDLE = "() => document.querySelector('.stApp').getAttribute('data-test-script-state') !== 'running'"
PLACES = """star => [...document.querySelectorAll('.js-plotly-plot .scatterlayer .trace')]
  .filter(trace => (trace.__data__[0].trace.name.startsWith('optimum')) === star
     && trace.__data__[0].trace.mode === 'markers')
  .flatMap(trace => [...trace.querySelectorAll('.point')].map(p => p.getAttribute('transform'))).join()"""
WORDS = (
    "() => [...document.querySelectorAll('.js-plotly-plot .annotation')].map(a => a.textContent).join(' ')"
)


def turn(page: Page, alpha: float) -> None:
    """Click the slider at an alpha, as a user does, and wait until everything has arrived."""
    rail = page.locator(".slider-rail-touch-rect").bounding_box()
    assert rail is not None
    page.mouse.click(rail["x"] + 10 + (rail["width"] - 20) * alpha / 0.6, rail["y"] + rail["height"] / 2)
    page.wait_for_timeout(1300)


def test_the_slider_moves_points_through_trained_networks(opened: Opened, server: Server) -> None:
    page = opened.page
    page.goto(server.url)
    page.locator(".st-key-pages").get_by_text("Sweep").click()
    page.wait_for_selector(".slider-rail-touch-rect", timeout=60_000)
    page.wait_for_function(IDLE)
    assert "Move α" in page.locator("h2").first.inner_text()
    frame = page.evaluate("() => document.querySelector('.js-plotly-plot').layout.xaxis.range.join()")
    turn(page, 0.1)
    trained, stars = page.evaluate(PLACES, False), page.evaluate(PLACES, True)
    assert trained.count("translate") > 600
    assert stars.count("translate") == 6
    assert "nearest network" not in page.evaluate(WORDS)
    turn(page, 0.15)
    assert page.evaluate(PLACES, False) == trained  # between two networks only the stars move
    assert page.evaluate(PLACES, True) != stars
    assert "stars at α = 0.15; points of the nearest network, α = 0.1" in page.evaluate(WORDS)
    turn(page, 0.4)
    assert page.evaluate(PLACES, False) != trained
    after = page.evaluate("() => document.querySelector('.js-plotly-plot').layout.xaxis.range.join()")
    assert after == frame  # the scale is fixed, so that motion is real


def test_the_page_of_sweeps(opened: Opened, server: Server) -> None:
    page = opened.page
    page.goto(server.url)
    page.wait_for_selector(".js-plotly-plot .point", timeout=60_000)
    page.locator(".st-key-pages").get_by_text("Sweep").click()
    page.wait_for_selector(".st-key-sweep-chart .js-plotly-plot .xy", timeout=60_000)
    page.wait_for_function(IDLE)
    assert "ρ/d on train is" in page.locator("h1").inner_text()
    assert page.locator(".st-key-sweep-chart .subplot").count() == 6
    page.locator(".st-key-numbers").get_by_text("accuracy").wait_for()
    field = page.locator(".st-key-numbers input")
    field.click()
    field.fill("NC1")
    page.locator("[role=option]").filter(has_text="NC1").first.click()
    page.wait_for_function("() => document.querySelectorAll('.st-key-sweep-chart .subplot').length === 7")
    assert page.locator(".stException").count() == 0
    assert not {"torch", "umap"} & server.modules()  # matplotlib comes with an export of another test
