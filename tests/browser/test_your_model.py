"""A visitor brings a model in a real browser: dropped, checked, drawn, removed; refused when hostile."""

from __future__ import annotations

import io
import itertools
import os
import pickle
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from test_browser import choose, idle, settled

if TYPE_CHECKING:
    from conftest import Opened, Server
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.browser

STEP = 120_000
"""Milliseconds that a step in the sandbox may take on a busy machine; its first one imports torch."""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of a network trained on scikit-learn's digits, as a third party would keep them."""
    place = tmp_path_factory.mktemp("theirs")
    command = [
        sys.executable,
        "-m",
        "penviz",
        "train",
        "digits",
        "fc800",
        "--epochs",
        "5",
        "--progress",
        "none",
    ]
    subprocess.run([*command, "--threads", "1", "--out", str(place / "run")], check=True)
    target = place / "theirs.safetensors"
    (place / "run" / "model.safetensors").rename(target)
    return target


def open_page(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.locator(".st-key-your-model a").click()
    page.wait_for_selector("[data-testid=stFileUploader]")


def drop(page: Page, *files: Path) -> None:
    page.set_input_files("input[type=file]", [str(file) for file in files])
    page.wait_for_selector("[class*=st-key-card-]", timeout=STEP)


def check_and_draw(page: Page) -> None:
    """From a read file to its quick look, saying what a person would say."""
    page.wait_for_selector("[class*=st-key-dataset-]", timeout=STEP)
    field = page.locator("[class*=st-key-dataset-] input")
    field.click()
    field.fill("digits")
    page.locator("[role=option]").filter(has_text="digits").first.click()
    page.get_by_role("button", name="Check on 512 images").click()
    page.get_by_text("Is that the accuracy you expect?").wait_for(timeout=STEP)
    page.get_by_role("button", name="Yes, draw").click()
    page.get_by_text("Three of its classes are on Clusters.").wait_for(timeout=STEP)


def directories(server: Server) -> list[Path]:
    return [path for root in server.temporary.glob("penviz-visitors-*") for path in root.glob("session-*")]


def eventually(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.2)
    return holds()


def children_of(pid: int) -> list[int]:
    """All processes below a process, from /proc."""
    found, todo = [], [pid]
    while todo:
        parent = todo.pop()
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            below = [int(child) for child in task.read_text().split()]
            found += below
            todo += below
    return found


def test_a_checkpoint_is_checked_drawn_and_removed(opened: Opened, server: Server, checkpoint: Path) -> None:
    page = opened.page
    open_page(page, server)
    drop(page, checkpoint)
    network = page.locator("[class*=st-key-model-] input")
    network.wait_for(timeout=STEP)
    assert network.input_value().startswith("fc800 · all 6 keys")
    check_and_draw(page)
    asked = page.get_by_role("link", name="See it on Clusters")
    page.get_by_role("button", name="Continue with all").click()
    page.get_by_text("It is on Clusters.").wait_for(timeout=STEP)
    asked.click()
    settled(page, runs=1)
    assert "theirs" in page.locator(".pz-foot").inner_text()
    before = page.locator("table.pz-table").first.inner_text()
    choose(page, "above-digits-10-classes", "7")
    page.wait_for_function("() => document.querySelector('.pz-legend').innerText.includes('7')")
    settled(page, runs=1)
    assert page.locator("table.pz-table").first.inner_text() != before
    page.locator(".st-key-your-model a").click()
    page.locator("[class*=st-key-forget-]").get_by_role("button").click()
    page.wait_for_selector("[class*=st-key-card-]", state="detached")
    page.locator(".st-key-pages").get_by_text("Clusters").click()
    settled(page)
    assert page.get_by_text("theirs").count() == 0


def test_a_hostile_file_is_refused_and_runs_nothing(opened: Opened, server: Server, tmp_path: Path) -> None:
    canary = tmp_path / "canary"

    class Runs:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, (f"touch {canary}",)

    hostile = tmp_path / "hostile.pth"
    hostile.write_bytes(pickle.dumps({"weight": Runs()}))
    page = opened.page
    open_page(page, server)
    drop(page, hostile)
    page.locator("[class*=st-key-card-] [data-testid=stAlert]").wait_for(timeout=STEP)
    idle(page)
    said = page.locator("[class*=st-key-card-]").inner_text()
    assert "pickle" in said
    assert "torch.save" in said, "the card must say how to convert it"
    assert not canary.exists()
    pickle.loads(hostile.read_bytes())
    assert canary.exists(), "the file must really be dangerous, or this test shows nothing"


def test_activations_from_elsewhere_stand_in_the_grid(opened: Opened, server: Server, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(4), 60)
    weight = rng.normal(size=(4, 8))
    features = weight[labels] + rng.normal(size=(240, 8)) / 3
    np.savez(
        tmp_path / "jax-validation.npz", features=features, labels=labels, weight=weight, bias=np.zeros(4)
    )
    page = opened.page
    open_page(page, server)
    drop(page, tmp_path / "jax-validation.npz")
    page.get_by_role("button", name="Draw").click(timeout=STEP)
    page.get_by_role("link", name="See it on Clusters").click(timeout=STEP)
    page.wait_for_selector(".js-plotly-plot .scatterlayer", timeout=STEP)
    page.get_by_text("class 0").first.wait_for()
    foot = page.locator(".pz-foot").inner_text()
    assert "Runs jax;" in foot, "the split is not part of the name"
    assert "validation 60 drawn of 60" in foot


def test_two_splits_make_one_run_that_is_packed_and_opened_again(
    opened: Opened, server: Server, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    labels, weight = np.tile(np.arange(4), 60), rng.normal(size=(4, 8))
    for split in ("train", "validation"):
        features = weight[labels] + rng.normal(size=(240, 8)) / 3
        np.savez(tmp_path / f"jax-{split}.npz", features=features, labels=labels, weight=weight)
    page = opened.page
    open_page(page, server)
    drop(page, tmp_path / "jax-train.npz", tmp_path / "jax-validation.npz")
    card = page.locator("[class*=st-key-card-]").filter(has_text="jax-train")
    field = card.locator("[class*=st-key-partner-] input")
    field.click(timeout=STEP)
    field.fill("validation")
    page.locator("[role=option]").filter(has_text="jax-validation").first.click()
    card.get_by_role("button", name="Draw").click()
    page.get_by_text("It belongs to the run drawn beside it.").wait_for()
    page.get_by_role("button", name="Download").wait_for(timeout=STEP)
    idle(page)
    with page.expect_download(timeout=STEP) as packed:
        page.get_by_role("button", name="Download").click(timeout=STEP)
    packed.value.save_as(tmp_path / "jax.zip")
    page.set_input_files("input[type=file]", str(tmp_path / "jax.zip"))
    page.locator(".st-key-mine-jax-2").wait_for(timeout=STEP)
    page.locator("[class*=st-key-card-]").filter(has_text="jax.zip").get_by_role("link").click()
    settled(page)
    panels = page.locator(".pz-foot").inner_text()
    assert "Runs jax, jax-2" in panels
    assert "train" in panels


def test_a_zip_of_images_becomes_a_choice(opened: Opened, server: Server, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(tmp_path / "pics.zip", "w") as archive:
        for split, name, i in itertools.product(("train", "validation"), ("cat", "dog", "owl"), range(4)):
            buffer = io.BytesIO()
            Image.fromarray(rng.integers(0, 255, (12, 16, 3), np.uint8)).save(buffer, "PNG")
            archive.writestr(f"pics/{split}/{name}/{i}.png", buffer.getvalue())
    page = opened.page
    open_page(page, server)
    drop(page, tmp_path / "pics.zip")
    said = "12 images in train/ and 12 images in validation/, 3 classes"
    page.get_by_text(said).wait_for(timeout=STEP)


def test_two_visitors_never_see_each_others_runs(
    opened: Opened, server: Server, browser: BrowserContext, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(3), 40)
    features = np.eye(3)[labels] + rng.normal(size=(120, 3)) / 5
    for name in ("mine", "yours"):
        np.savez(tmp_path / f"{name}.npz", features=features, labels=labels, weight=np.eye(3))
    other = browser.browser.new_context().new_page() if browser.browser else browser.new_page()
    for page, name in ((opened.page, "mine"), (other, "yours")):
        open_page(page, server)
        drop(page, tmp_path / f"{name}.npz")
        page.get_by_role("button", name="Draw").click(timeout=STEP)
    for page, own, foreign in ((opened.page, "mine", "yours"), (other, "yours", "mine")):
        page.get_by_role("link", name="See it on Clusters").click(timeout=STEP)
        page.wait_for_selector(".js-plotly-plot .scatterlayer", timeout=STEP)
        settled_foot = page.locator(".pz-foot")
        settled_foot.wait_for()
        assert own in settled_foot.inner_text()
        assert page.get_by_text(foreign, exact=True).count() == 0
    other.close()


def test_cancelling_and_closing_leave_no_process_and_no_file(
    opened: Opened, server: Server, browser: BrowserContext, checkpoint: Path
) -> None:
    page = browser.new_page()
    open_page(page, server)
    drop(page, checkpoint)
    page.wait_for_selector("[class*=st-key-dataset-]", timeout=STEP)
    before = set(children_of(server.process.pid))
    field = page.locator("[class*=st-key-dataset-] input")
    field.click()
    field.fill("digits")
    page.locator("[role=option]").filter(has_text="digits").first.click()
    page.get_by_role("button", name="Check on 512 images").click()
    page.get_by_role("button", name="Cancel").click(timeout=STEP)
    page.get_by_text("Cancelled.").wait_for()
    assert eventually(lambda: set(children_of(server.process.pid)) <= before)
    idle(page)
    assert field.input_value() == "scikit-learn's digits", "what was chosen stays chosen"
    page.get_by_role("button", name="Check on 512 images").click()
    # The second check starts at once, and may be over before the browser has drawn its button.
    under_way = page.get_by_role("button", name="Cancel").or_(page.get_by_text("Is that the accuracy"))
    under_way.first.wait_for(timeout=STEP)
    held = directories(server)
    assert held, "a visitor's directory must be there while the page is open"
    page.close()
    opened.page.goto(server.url)  # another visitor is looking meanwhile
    assert eventually(lambda: not set(held) & set(directories(server)))
    assert eventually(lambda: set(children_of(server.process.pid)) <= before)
