"""Views, pull and triples in a real browser; nothing heavy is imported for any of them."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Opened, Server
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

HEAVY = {"torch", "torchvision", "sklearn", "scipy", "pandas", "umap", "numba"}
LONG = 60_000


def choose_view(page: Page, name: str) -> None:
    page.locator(".st-key-view input").click()
    page.locator("[role=option]").filter(has_text=re.compile(f"^{re.escape(name)}$")).click()


def says(page: Page, words: str) -> None:
    page.wait_for_function(
        "w => document.querySelector('h1')?.innerText.includes(w)", arg=words, timeout=LONG
    )


def test_views_change_the_picture_and_say_so(opened: Opened, server: Server, runs: Path) -> None:
    from penviz.figures.embeddings import UmapPlan
    from penviz.store import run_activations
    from penviz.store.runs import read_run

    page = opened.page
    page.goto(server.url)
    says(page, "tighter")
    choose_view(page, "PCA")
    says(page, "PCA, not the paper's projection")
    page.wait_for_function("() => document.querySelector('.js-plotly-plot')?.innerHTML.includes('PCA, not')")
    assert "view=PCA" in page.url
    choose_view(page, "UMAP")
    says(page, "Compute UMAP first")
    assert "Tightness must not be judged on it" in page.locator(".pz-detail").inner_text()
    page.get_by_role("button", name="Compute UMAP").click()
    page.locator("[data-testid=stProgress]").first.wait_for(timeout=LONG)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Compute UMAP").wait_for(timeout=LONG)
    cache = server.temporary.parent / "cache" / "umap"
    assert not list(cache.iterdir())
    for name in ("hard", "soft"):  # as if they had been made; the real child has a test of its own
        request = UmapPlan.of(run_activations.load(read_run(runs / name)), (0, 1, 2), False, 0).request
        rng = np.random.default_rng(0)
        np.savez(
            cache / f"{request.key}.npz",
            fit_xy=rng.normal(size=(len(request.fit), 2)).astype(np.float32),
            more_xy=rng.normal(size=(len(request.more), 2)).astype(np.float32),
        )
    page.reload()
    says(page, "UMAP, not the paper's projection")
    page.wait_for_function(
        "() => document.querySelector('.js-plotly-plot')?.innerHTML.includes('must not be judged')",
        timeout=LONG,
    )
    assert not HEAVY & server.modules()


def test_pull_draws_arrows_under_the_points(opened: Opened, server: Server) -> None:
    page = opened.page
    page.goto(f"{server.url}/?pull=true")
    says(page, "tighter")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.js-plotly-plot .shapelayer path')]"
        ".some(path => (path.getAttribute('d') || '').split('M').length > 10)",
        timeout=LONG,
    )
    assert "loss gradient" in page.locator(".pz-legend").inner_text()


def test_a_tile_shows_its_triple_in_the_grid(opened: Opened, server: Server) -> None:
    page = opened.page
    page.goto(server.url)
    says(page, "tighter")
    tile = page.locator(".st-key-triple-1")
    tile.get_by_role("button").wait_for(timeout=LONG)
    words = tile.inner_text().split("\n")[0].split(", ")
    assert tile.locator("img").evaluate("img => img.naturalWidth") == 206
    tile.locator("img").click(force=True)  # the button lies over it: the whole tile answers
    page.wait_for_function(
        "w => w.every(x => document.querySelector('.pz-legend')?.innerText.includes(x))",
        arg=words,
        timeout=LONG,
    )
    page.wait_for_function(
        "w => document.querySelector('.st-key-triple-0').innerText.includes(w)", arg=words[0]
    )
    assert "left=" in page.url


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("/triples?find=most+confused&split=validation", "/?find=most+confused&split=validation", "tighter"),
        ("/targets?alpha=0.2&k=100", "/?alpha=0.2&k=100&targets=open", "tighter"),
        ("/over-training", "/training-dynamics", "No snapshots"),
        ("/?dial=true", "/sweep", "ρ/d on train"),
    ],
)
def test_addresses_of_0_1_lead_on(opened: Opened, server: Server, old: str, new: str, words: str) -> None:
    page = opened.page
    page.goto(server.url + old)
    page.wait_for_function("path => (location.pathname + location.search) === path", arg=new, timeout=LONG)
    says(page, words)
    if "targets" in old:
        page.get_by_text("the true class has 0.802, every other class has 0.002").first.wait_for()
    opened.problems.clear()  # Streamlit seeks its own files first beside a page opened by its address


def test_the_tour_ends_by_keyboard(opened: Opened, server: Server) -> None:
    page = opened.page
    page.goto(server.url)
    says(page, "tighter")
    page.get_by_role("button", name="Take the tour").press("Enter")
    for number, address in enumerate(("/?tour=1", "/?tour=2", "/?tour=3", "/calibration?tour=4"), 1):
        page.get_by_text(f"{number} of 5.").wait_for(timeout=LONG)
        wanted = "a => (location.pathname + location.search).startsWith(a.split('?')[0]) "
        page.wait_for_function(wanted + "&& location.search.includes(a.split('?')[1])", arg=address)
        page.get_by_role("button", name="Next").focus()
        page.keyboard.press("Enter")
    page.get_by_text("5 of 5.").wait_for(timeout=LONG)
    page.locator(".st-key-model").wait_for()
    page.keyboard.press("Escape")
    page.locator(".st-key-tour").wait_for(state="detached", timeout=LONG)
    assert "tour" not in page.url


def test_the_back_button_keeps_the_other_list_of_classes(opened: Opened, server: Server, runs: Path) -> None:
    from small_runs import make_run

    names = ("<b>red</b>", "green*", "$blue$", "grey_", "pink_")
    page = opened.page
    made = [
        make_run(runs, f"colours-{a}", a, names, per_class=110, dataset="colours") for a in (0.0, 0.1)
    ]  # enough examples for an interval, so the grid draws a conclusion
    try:
        page.goto(f"{server.url}/?of=colours (5 classes)")
        says(page, "training clusters")
        tile = page.locator(".st-key-triple-1")
        tile.get_by_role("button").wait_for(timeout=LONG)
        words = tile.inner_text().split("\n")[0].split(", ")
        assert set(words) <= set(names), "names stand as they are written"
        page.get_by_role("link", name="Calibration").click()
        page.wait_for_function("() => location.pathname === '/calibration'")
        says(page, "ECE")
        page.go_back()
        page.wait_for_function("() => location.pathname !== '/calibration'")
        page.locator(".st-key-of input").wait_for(timeout=LONG)
        page.wait_for_timeout(1000)
        assert page.locator(".st-key-of input").input_value() == "colours (5 classes)"
    finally:
        for directory in made:
            shutil.rmtree(directory)
