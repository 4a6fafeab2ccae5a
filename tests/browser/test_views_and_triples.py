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


def texts(page: Page) -> str:
    return page.locator(".js-plotly-plot").first.evaluate("plot => plot.innerHTML")


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
    says(page, "UMAP has still to be made")
    assert "Tightness must not be judged on it" in page.locator(".pz-detail").inner_text()
    page.get_by_role("button", name="Make the map").click()
    page.locator("[data-testid=stProgress]").first.wait_for(timeout=LONG)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Make the map").wait_for(timeout=LONG)
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
    assert "pull of the loss" in page.locator(".pz-legend").inner_text()


def test_a_triple_is_found_and_shown_in_the_plane(opened: Opened, server: Server) -> None:
    page = opened.page
    page.goto(server.url)
    says(page, "tighter")
    page.locator(".st-key-pages").get_by_text("Triples").click()
    says(page, "of 120 triples")
    page.get_by_text("most changed", exact=True).click()
    page.get_by_text("The 10 most changed").wait_for(timeout=LONG)
    first = page.locator("[class*=st-key-triple-1] a").first
    first.wait_for(timeout=LONG)
    words = first.inner_text().split(". ")[1].split(", ")
    page.wait_for_function(
        "() => document.querySelectorAll('.js-plotly-plot .point').length > 100", timeout=LONG
    )
    first.click()
    says(page, "training clusters")
    page.wait_for_function(
        "w => w.every(x => document.querySelector('.pz-legend')?.innerText.includes(x))",
        arg=words,
        timeout=LONG,
    )
    assert page.url.startswith(f"{server.url}/?")


def test_links_and_the_back_button_keep_the_other_list_of_classes(
    opened: Opened, server: Server, runs: Path
) -> None:
    from small_runs import make_run

    names = ("<b>red</b>", "green*", "$blue$", "grey_", "pink_")
    page = opened.page
    made = [
        make_run(runs, f"colours-{a}", a, names, per_class=110, dataset="colours") for a in (0.0, 0.1)
    ]  # enough examples for an interval, so the grid draws a conclusion
    try:
        page.goto(f"{server.url}/triples?of=colours (5 classes)")
        says(page, "of 10 triples")
        opened.problems.clear()  # Streamlit seeks its own files first beside a page opened by its address
        first = page.locator("[class*=st-key-triple-1] a").first
        words = first.inner_text().split(". ")[1].split(", ")
        assert set(words) <= set(names), "names stand as they are written"
        first.click()
        says(page, "training clusters")
        legend = "w => w.every(x => document.querySelector('.pz-legend')?.innerText.includes(x))"
        page.wait_for_function(legend, arg=words, timeout=LONG)
        page.go_back()
        page.locator(".st-key-of input").wait_for(timeout=LONG)
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
