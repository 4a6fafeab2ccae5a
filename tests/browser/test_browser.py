"""The page in a real browser: drawn, changed, restored from its link, and nothing heavy imported for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Opened, Server
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.browser

HEAVY = {"torch", "torchvision", "sklearn", "scipy", "pandas", "umap", "matplotlib"}

SPLITS = 2
POINTS = """() => [...document.querySelectorAll(':is(.pzc, .st-key-charts) .js-plotly-plot')].map(
  plot => [...plot.querySelectorAll('.scatterlayer .point')].slice(0, 40).map(
    point => point.getAttribute('transform')).join())"""


def draw(page: Page, url: str, plots: int = 1) -> None:
    page.goto(url)
    settled(page, plots=plots)


def idle(page: Page) -> None:
    """Wait until no rerun is under way, so that what is clicked is what was drawn."""
    page.wait_for_timeout(400)
    page.wait_for_function(
        "() => document.querySelector('.stApp').getAttribute('data-test-script-state') !== 'running'"
    )
    page.wait_for_timeout(200)


def settled(page: Page, runs: int = 2, plots: int = 1, splits: int = SPLITS) -> None:
    """Wait until all panels are drawn, in one figure or in one a run, and no rerun is under way."""
    page.wait_for_function(
        """n => document.querySelectorAll(':is(.pzc, .st-key-charts) .scatterlayer').length === n &&
          document.querySelector('.stApp').getAttribute('data-test-script-state') !== 'running'""",
        arg=runs * splits,
        timeout=60_000,
    )
    page.wait_for_function(
        "n => document.querySelectorAll(':is(.pzc, .st-key-charts) .js-plotly-plot').length === n "
        "&& document.querySelectorAll(':is(.pzc, .st-key-charts) .js-plotly-plot .point').length > 100",
        arg=plots,
    )
    page.wait_for_timeout(300)
    assert page.locator(".stException").count() == 0


def numbers(page: Page) -> str:
    return page.locator("table.pz-table").first.inner_text()


def choose(page: Page, key: str, name: str) -> None:
    """Pick an option of a selectbox by typing its name, as a user would among a hundred."""
    field = page.locator(f".st-key-{key} input")
    field.click()
    field.fill(name)
    page.locator("[role=option]").filter(has_text=name).first.click()


def test_grid_appears_with_finding_and_numbers(opened: Opened, server: Server) -> None:
    page = opened.page
    draw(page, server.url)
    assert "training clusters are" in page.locator("h1").inner_text()
    assert page.locator(":is(.pzc, .st-key-charts) .js-plotly-plot").count() == 1
    assert "label smoothing α = 0.1" in (page.locator(".pzc-plot").get_attribute("aria-label") or "")
    assert page.locator("table.pz-table tbody tr").count() > 5


def test_comparison_needs_no_scrolling(opened: Opened, server: Server) -> None:
    page = opened.page
    for width, height in ((1280, 800), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        draw(page, server.url)
        box = page.locator(":is(.pzc, .st-key-charts) .js-plotly-plot").bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= height
        axes = page.evaluate(
            """() => { const full = document.querySelector('.pzc .js-plotly-plot')._fullLayout;
              return ['', 2, 3, 4].map(i => ['xaxis', 'yaxis'].map(a => full[a + i]).map(
                a => [a._offset, a._length / (a.range[1] - a.range[0])])) }"""
        )
        assert len({round(y[0]) for _, y in axes}) == 2
        for x, y in axes:
            assert x[1] == pytest.approx(y[1], rel=0.01)
    page.set_viewport_size({"width": 1280, "height": 800})


def test_phone_has_words_apart_and_panels_below_one_another(opened: Opened, server: Server) -> None:
    page = opened.page
    page.set_viewport_size({"width": 390, "height": 844})
    draw(page, server.url)

    def box(selector: str) -> dict[str, float]:
        found = page.locator(selector).first.bounding_box()
        assert found is not None
        return dict(found)

    button, headline = box("[data-testid=stExpandSidebarButton]"), box("h1")
    assert button["y"] + button["height"] <= headline["y"]
    legend, plot = box(".pz-legend"), box(".pzc-plot")
    assert legend["y"] + legend["height"] <= plot["y"]
    wide = "selector => { const e = document.querySelector(selector); return e.scrollWidth - e.clientWidth }"
    assert page.evaluate(wide, "[data-testid=stMain]") == 0
    assert plot["x"] + plot["width"] <= 390
    full = "document.querySelector('.pzc .js-plotly-plot')._fullLayout"
    axes = f"['', 2, 3, 4].map(i => {full}['yaxis' + i]._offset)"
    assert len(set(page.evaluate(axes))) == 4, "one panel a line"
    page.set_viewport_size({"width": 1280, "height": 800})


def test_another_class_changes_points_and_numbers_only(opened: Opened, server: Server) -> None:
    page = opened.page
    draw(page, server.url)
    before = page.evaluate(POINTS), numbers(page)
    page.evaluate("() => { document.querySelector('.pz-brand').dataset.kept = 'yes' }")
    choose(page, "above", "dog")
    page.wait_for_function("() => document.querySelector('.pz-legend').innerText.includes('dog')")
    settled(page)
    after = page.evaluate(POINTS), numbers(page)
    assert after[0] != before[0]
    assert after[1] != before[1]
    assert page.locator(".pz-brand").get_attribute("data-kept") == "yes"
    assert "above=dog" in page.url


def test_link_restores_the_view_in_a_new_page(
    opened: Opened, server: Server, browser: BrowserContext
) -> None:
    page = opened.page
    draw(page, server.url)
    choose(page, "left", "horse")
    page.wait_for_function("() => document.querySelector('.pz-legend').innerText.includes('horse')")
    page.get_by_text("free per run", exact=True).click()
    page.locator(".st-key-means label").click()
    page.wait_for_function("() => !document.querySelector('.pz-legend').innerText.includes('class mean')")
    settled(page)
    assert "scale=" in page.url
    other = browser.new_page()
    draw(other, page.url)
    assert other.evaluate(POINTS) == page.evaluate(POINTS)
    assert numbers(other) == numbers(page)
    assert "class mean" not in other.locator(".pz-legend").inner_text()
    other.close()


def test_choosing_a_class_twice_swaps(opened: Opened, server: Server) -> None:
    page = opened.page
    draw(page, server.url)
    choose(page, "left", "bird")
    page.wait_for_function("() => document.querySelector('.pz-legend').innerText.startsWith('bird')")
    settled(page)
    assert page.locator(".pz-legend b").all_inner_texts() == ["bird", "automobile", "airplane"]


def test_click_and_lasso_in_the_plain_chart_show_images(opened: Opened, server: Server) -> None:
    page = opened.page
    draw(page, f"{server.url}/?plain=1", plots=2)
    plot = page.locator(":is(.pzc, .st-key-charts) .js-plotly-plot").first
    box = plot.locator(".scatterlayer .point").nth(3).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector(".hoverlayer .hovertext")
    hover = plot.locator(".hoverlayer").text_content() or ""
    assert all(word in hover for word in ("example", "label", "prediction", "confidence"))
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector(".pz-images figure")
    assert page.locator(".pz-images figure").count() == 1
    assert "confidence" in page.locator(".pz-images figure").inner_text()
    assert page.locator(".pz-images img").evaluate("image => image.naturalWidth") == 8
    page.get_by_role("button", name="Clear").click()
    page.wait_for_selector(".pz-images", state="detached")
    settled(page, plots=2)
    plot = page.locator(":is(.pzc, .st-key-charts) .js-plotly-plot").first
    plot.hover()
    plot.locator('.modebar-btn[data-title="Lasso Select"]').click()
    area = plot.locator(".nsewdrag").first.bounding_box()
    assert area is not None
    corners = ((0.03, 0.03), (0.97, 0.03), (0.97, 0.97), (0.03, 0.97), (0.03, 0.05))
    places = [(area["x"] + area["width"] * x, area["y"] + area["height"] * y) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()
    page.wait_for_selector(".pz-images figure")
    assert page.locator(".pz-images figure").count() == 60
    assert "60 of" in page.locator(".pz-tray").inner_text()


def test_dark_theme_is_drawn_dark(opened: Opened, server: Server) -> None:
    page = opened.page
    page.emulate_media(color_scheme="dark")
    draw(page, server.url)
    shade = page.evaluate("() => getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    assert shade == "rgb(15, 19, 25)"
    font = page.evaluate(
        "() => document.querySelector(':is(.pzc, .st-key-charts) .js-plotly-plot')._fullLayout.font.color"
    )
    assert font == "#a9b2c0"


def test_no_heavy_import_after_every_control(opened: Opened, server: Server) -> None:
    page = opened.page
    draw(page, server.url)
    loaded = {name.split(".")[0] for name in server.modules()}
    assert "penviz" in loaded, "the probe must see the app's own modules"
    assert loaded & HEAVY == set()
    choose(page, "right", "cat")
    page.wait_for_function("() => document.querySelector('.pz-legend').innerText.includes('cat')")
    choose(page, "preset", "Figure 1")
    page.wait_for_function("() => document.querySelector('.pz-legend').innerText.includes('automobile')")
    for name in ("free per run", "shared", "distance = 1", "strip", "two columns", "auto"):
        page.get_by_text(name, exact=True).click()
        page.wait_for_timeout(250)
    for key in ("means", "templates", "boundaries", "optimum", "shading", "errors", "bias"):
        page.locator(f".st-key-{key} label").click()
        page.wait_for_timeout(250)
    page.locator(".st-key-n input[type=range]").press("ArrowLeft")
    page.get_by_role("button", name="Share").click()
    page.get_by_text("penviz measure").wait_for()
    page.keyboard.press("Escape")
    page.get_by_text("All metrics").click()
    page.locator(".st-key-runs button").first.click()
    settled(page, runs=1)
    page.locator(".st-key-runs button").first.click()
    settled(page)
    assert {name.split(".")[0] for name in server.modules()} & HEAVY == set()
