"""The grid as one picture: pointing, choosing, switching and morphing, none of which asks the server."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from test_browser import choose, draw, settled

from penviz.metrics.target_vectors import Targets
from penviz.projection.build_panel import build_grid
from penviz.projection.panel import Panel
from penviz.store.activations import Activations
from penviz.store.runs import activations_path

if TYPE_CHECKING:
    from conftest import Opened, Server
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.browser

SPLITS = ("train", "validation")
PLACES = """number => { const full = document.querySelector('.pzc .js-plotly-plot')._fullLayout;
  const {left, top} = document.querySelector('.pzc-plot').getBoundingClientRect();
  const [x, y] = ['xaxis', 'yaxis'].map(a => full[a + (number ? number + 1 : '')]);
  return [left + x._offset, x._length, ...x.range, top + y._offset, y._length, ...y.range] }"""
INK = """([layer, x, y, w, h]) => { const canvas = document.querySelectorAll('.pzc-plot canvas')[layer];
  const {left, top} = canvas.getBoundingClientRect();
  const shown = canvas.getContext('2d').getImageData(x - left, y - top, w, h).data;
  return shown.filter((v, i) => i % 4 === 3 && v > 200).length }"""
TO = """t => { const slider = document.querySelector('.pzc-way input');
  slider.value = t; slider.dispatchEvent(new Event('input', {bubbles: true})) }"""
NOW = """number => { const p = document.querySelector('.pzc').linked.panels[number];
  return [[...p.indices], [...p.now.x], [...p.now.y], p.frame.range] }"""


@pytest.fixture(scope="module")
def grid(runs: Path) -> list[Panel]:
    """The four panels as Python builds them, in reading order."""
    loaded = [{s: Activations.load(activations_path(runs / r, s)) for s in SPLITS} for r in ("hard", "soft")]
    rows = build_grid(loaded, (0, 1, 2), targets=[Targets.of(0.0), Targets.of(0.1)])
    return [panel for row in rows for panel in row]


def pixels(page: Page, number: int, panel: Panel) -> np.ndarray:
    """Where Plotly draws the examples of a panel in the window, [m, 2]."""
    left, wide, x0, x1, top, high, y0, y1 = page.evaluate(PLACES, number)
    x, y = panel.xy.astype(np.float64).T
    return np.stack([left + wide * (x - x0) / (x1 - x0), top + high * (y1 - y) / (y1 - y0)], axis=1)


def lonely(points: np.ndarray) -> int:
    """The point that is farthest from its nearest neighbour, so that a pointer cannot mean another."""
    far = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(far, np.inf)
    return int(far.min(axis=1).argmax())


def frames_of(page: Page) -> list[str]:
    sent: list[str] = []
    page.on(
        "websocket",
        lambda socket: [
            socket.on(name, lambda _, n=name: sent.append(n)) for name in ("framesent", "framereceived")
        ],
    )
    return sent


def lasso(page: Page, corners: list[tuple[float, float]]) -> None:
    if page.locator("[data-do=lasso]").get_attribute("aria-pressed") == "false":
        page.locator("[data-do=lasso]").click()
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in [*corners[1:], corners[0]]:
        page.mouse.move(*corner, steps=4)
    page.mouse.up()


def forty(page: Page, panel: Panel) -> set[int]:
    """Draw a lasso around the forty leftmost examples of the first panel."""
    points = pixels(page, 0, panel)
    order = points[:, 0].argsort()
    edge = float(points[order[39:41], 0].mean())
    left, _, _, _, top, high, _, _ = page.evaluate(PLACES, 0)
    lasso(page, [(left + 1, top + 1), (edge, top + 1), (edge, top + high - 1), (left + 1, top + high - 1)])
    return set(panel.indices[order[:40]].tolist())


def selection(page: Page) -> dict[str, list[int]]:
    told: dict[str, list[int]] = page.evaluate(
        "() => Object.fromEntries(Object.entries(document.querySelector('.pzc').linked.selection)"
        ".map(([source, set]) => [source, [...set]]))"
    )
    return told


def test_pointing_marks_the_same_image_in_both_runs_of_its_split(
    opened: Opened, server: Server, grid: list[Panel]
) -> None:
    page = opened.page
    draw(page, server.url)
    points = pixels(page, 0, grid[0])
    i = lonely(points)
    index = int(grid[0].indices[i])
    page.mouse.move(*points[i])
    page.wait_for_function("() => document.querySelector('.pzc').dataset.example")
    assert page.locator(".pzc").get_attribute("data-example") == f"train:{index}"
    (there,) = np.flatnonzero(grid[2].indices == index)
    for number, at in ((0, points[i]), (2, pixels(page, 2, grid[2])[there])):
        assert page.evaluate(INK, [1, *(at - 9), 18, 18]) > 60, f"no ring in panel {number}"
    for number in (1, 3):
        ringed = [
            page.evaluate(INK, [1, *(at - 9), 18, 18]) > 60 for at in pixels(page, number, grid[number])[::7]
        ]
        assert not any(ringed), "an image of train is in no validation panel"
    tip = page.locator(".pzc-tip").inner_text()
    k, there = int(grid[0].labels[i]), int(there)
    assert f"{grid[0].classes[k]} train {index}" in " ".join(tip.split())
    for name, panel, at in (("hard targets", grid[0], i), ("α = 0.1", grid[2], there)):
        (line,) = [line for line in tip.splitlines() if line.startswith(name)]
        assert grid[0].class_names[panel.predictions[at]] in line
        sure = float(re.search(r"([\d.]+)\u202f%", line)[1])  # type: ignore[index]
        assert sure == pytest.approx(100 * float(panel.confidences[at]), abs=0.5)
    tile = page.locator(".pzc-tip .pzc-tile").evaluate("tile => tile.style.background")
    assert page.request.get(server.url + tile.split('"')[1]).status == 200
    x, y, wide = (abs(int(n)) // 60 for n in re.findall(r"(-?\d+)px", tile)[-3:])
    assert (y, x) == divmod(int(grid[0].rows[i]), wide)
    page.mouse.move(5, 5)
    page.wait_for_selector(".pzc-tip", state="hidden")


def test_a_lasso_of_forty_is_the_same_forty_elsewhere(
    opened: Opened, server: Server, grid: list[Panel]
) -> None:
    page = opened.page
    draw(page, server.url)
    inside = forty(page, grid[0])
    assert len(inside) == 40
    assert {key: set(v) for key, v in selection(page).items()} == {"train": inside}
    page.wait_for_selector(".pzc-tiles figure")
    examples = page.locator(".pzc-tiles figure").evaluate_all("all => all.map(one => one.dataset.example)")
    assert set(examples) == {f"train:{index}" for index in inside}
    for number in (0, 2):
        where = pixels(page, number, grid[number])
        for i in np.flatnonzero(np.isin(grid[number].indices, list(inside))):
            assert page.evaluate(INK, [0, *(where[i] - 9), 18, 18]) > 0
    left, wide, _, _, top, high, _, _ = page.evaluate(PLACES, 1)
    assert page.evaluate(INK, [0, left, top, wide, high]) == 0, "nothing of validation is selected or dimmed"


def test_a_selection_survives_and_leaves_as_link_and_table(
    opened: Opened, server: Server, browser: BrowserContext, grid: list[Panel]
) -> None:
    page = opened.page
    draw(page, server.url)
    inside = forty(page, grid[0])
    assert "selected=train" in page.url
    with page.expect_download() as download:
        page.locator("[data-do=csv]").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert {int(row["index"]) for row in rows} == inside
    at = {int(index): i for i, index in enumerate(grid[2].indices)}
    for row in rows:
        i = at[int(row["index"])]
        assert row["prediction of soft"] == grid[2].class_names[grid[2].predictions[i]]
        assert float(row["confidence of soft"]) == pytest.approx(float(grid[2].confidences[i]), abs=1e-6)
    other = browser.new_page()
    draw(other, page.url)
    other.wait_for_selector(".pzc-tiles figure")
    assert set(selection(other)["train"]) == inside
    other.close()
    choose(page, "above", "dog")
    page.wait_for_function("() => document.querySelector('.pz-legend').innerText.includes('dog')")
    settled(page)
    assert set(selection(page)["train"]) == inside
    page.get_by_role("link", name="Calibration").click()
    page.wait_for_selector(".pzc", state="detached")
    page.get_by_role("link", name="Clusters").click()
    settled(page)
    assert set(selection(page)["train"]) == inside
    page.locator("[data-do=clear]").click()
    page.wait_for_selector(".pzc-tray", state="hidden")
    assert "selected" not in page.url


def test_switches_act_without_a_message(opened: Opened, server: Server) -> None:
    page = opened.page
    frames = frames_of(page)
    draw(page, server.url)
    page.wait_for_timeout(500)
    assert "framesent" in frames, "the counter must see messages"
    frames.clear()
    shown = (
        "() => [...document.querySelectorAll('.pzc .trace, .pzc .shapelayer [data-index]')].filter("
        "node => node.style.display !== 'none').length"
    )
    before = page.evaluate(shown)
    for key in ("means", "boundaries", "optimum", "templates", "pull", "errors", "shading"):
        counted = page.evaluate(shown)
        page.locator(f".st-key-{key} label").click()
        page.wait_for_function("key => key in document.querySelector('.pzc').linked.shown", arg=key)
        page.wait_for_timeout(150)
        if key not in ("errors", "shading"):
            assert page.evaluate(shown) != counted, key
        assert f"{key}=" in page.url
    visible = page.evaluate(
        "() => [...document.querySelectorAll('.pzc .imagelayer image')].map(i => i.style.display)"
    )
    assert set(visible) == {"none"}
    assert frames == []
    choose(page, "above", "dog")  # the server hears of them with the next change, and forgets none
    page.wait_for_function("() => document.querySelector('.pz-legend').innerText.includes('dog')")
    settled(page)
    assert "class mean" not in page.locator(".pz-legend").inner_text()
    assert "loss gradient" in page.locator(".pz-legend").inner_text()
    assert page.evaluate(shown) != before


def picture(page: Page, number: int) -> np.ndarray:
    """The lower four fifths of a panel, as gray values."""
    left, wide, _, _, top, high, _, _ = page.evaluate(PLACES, number)
    clip = {"x": left + 3, "y": top + 0.2 * high, "width": wide - 6, "height": 0.7 * high}
    return np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("L"), np.float64)  # type: ignore[arg-type]


def test_a_morph_ends_exactly_where_the_soft_figure_is(
    opened: Opened, server: Server, grid: list[Panel]
) -> None:
    page = opened.page
    draw(page, server.url)
    apart = [np.abs(picture(page, n) - picture(page, n + 2)).mean() for n in (0, 1)]
    start = page.evaluate(NOW, 0)[1:3]
    said = page.locator(".pzc-morph p").inner_text()
    assert "hard targets (train and validation)" in said
    assert "interpolated, not measured" in said
    page.evaluate(TO, 1)
    for number in (0, 1):
        indices, x, y, frame = page.evaluate(NOW, number)
        soft = {
            int(i): xy.tolist() for i, xy in zip(grid[number + 2].indices, grid[number + 2].xy, strict=True)
        }
        assert {i: [a, b] for i, a, b in zip(indices, x, y, strict=True)} == soft
        assert frame == page.evaluate(NOW, number + 2)[3]
        assert np.abs(picture(page, number) - picture(page, number + 2)).mean() < 0.2 * apart[number]
    page.evaluate(TO, 0.5)
    for number in (0, 1):
        indices, x, _, _ = page.evaluate(NOW, number)
        hard, soft_x = (
            dict(zip(p.indices.tolist(), p.xy[:, 0].tolist(), strict=True))
            for p in (grid[number], grid[number + 2])
        )
        np.testing.assert_allclose(x, [(hard[i] + soft_x[i]) / 2 for i in indices], atol=1e-6)
    page.evaluate(TO, 0)
    np.testing.assert_array_equal(page.evaluate(NOW, 0)[1:3], [*start])
    page.emulate_media(reduced_motion="reduce")
    page.locator("[data-do=play]").click()
    assert page.locator(".pzc").get_attribute("data-morph") == "1", "at once, where motion is not wanted"
    page.emulate_media(reduced_motion="no-preference")
    page.locator("[data-do=play]").click()
    page.wait_for_function("() => ![0, 1].includes(Number(document.querySelector('.pzc').dataset.morph))")
    page.wait_for_function("() => document.querySelector('.pzc').dataset.morph === '0'")


def test_the_keyboard_reaches_points_and_selects(opened: Opened, server: Server, grid: list[Panel]) -> None:
    page = opened.page
    draw(page, server.url)
    page.locator(".pzc-plot").focus()
    seen = []
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft", "PageDown"):
        page.keyboard.press(key)
        seen.append(page.locator(".pzc").get_attribute("data-example"))
    assert all(re.fullmatch(r"train:\d+", str(example)) for example in seen[:4])
    assert seen[0] != seen[1]
    assert str(seen[4]).startswith("validation:")
    page.keyboard.press("PageUp")
    index = int(str(page.locator(".pzc").get_attribute("data-example")).split(":")[1])
    i = int(np.flatnonzero(grid[0].indices == index)[0])
    status = page.locator(".pzc-said").inner_text()
    assert status.startswith(f"train {index}, label {grid[0].classes[grid[0].labels[i]]}.")
    page.keyboard.press("Enter")
    assert selection(page) == {"train": [index]}
    page.keyboard.press("Enter")
    assert selection(page) == {"train": []}
    page.keyboard.press("Escape")
    assert page.locator(".pzc").get_attribute("data-example") == ""


def test_the_saved_picture_shows_what_is_shown(opened: Opened, server: Server) -> None:
    page = opened.page
    draw(page, f"{server.url}/?means=false")

    def saved() -> str:
        with page.expect_download() as download:
            page.locator("[data-do=save]").click()
        return Path(download.value.path()).read_text()

    before = saved().count("<path")
    page.locator(".st-key-boundaries label").click()
    page.wait_for_timeout(150)
    assert before - saved().count("<path") == 12  # three lines a panel


def test_a_link_from_deep_below_shows_any_selection_or_none(opened: Opened, server: Server) -> None:
    page = opened.page
    what: list[Any] = []
    for letters in ("train:0.3~validation:9", "train:zzzzz", "<b>", "train:__proto__"):
        draw(page, f"{server.url}/?selected={letters}")
        what.append(selection(page))
    assert what[0] == {"train": [0, 3], "validation": [9]}
    assert what[1] == {"train": [int("zzzzz", 36)]}
    assert what[2:] == [{}, {}]
