"""Checkpoints of one's own in a real browser, hard beside soft, on the images that come with penviz."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from test_browser import idle, settled
from test_paper_export import download
from test_your_model import drop, open_page

from penviz.external.networks import architectures
from penviz.training.checkpoints import read_tensors

if TYPE_CHECKING:
    from conftest import Opened, Server
    from playwright.sync_api import Locator, TimeoutError

pytestmark = pytest.mark.browser

STEP = 300_000
"""Milliseconds: a check tries two dozen inputs, and the machine may be busy."""

ROOT = Path(__file__).parents[2]
ACCURACY = {"hard": 83.97, "soft": 84.06}
"""Of the shipped networks on all 10,000 test images, per cent."""


def saved(kind: str, place: Path) -> Path:
    """A shipped network as training scripts write them; the soft one as they did before torch 1.6."""
    weights, _ = read_tensors(ROOT / "checkpoints" / f"cifar10-alexnet-{kind}" / "model.safetensors")
    content = {"net": {f"module.{key}": value for key, value in weights.items()}, "epoch": 30}
    path = place / f"our-{kind}.pth"
    torch.save(content, path, _use_new_zipfile_serialization=kind == "hard")
    return path


def card_of(page: object, name: str) -> Locator:
    return page.locator("[class*=st-key-card-]").filter(has_text=name)  # type: ignore[attr-defined]


def select(card: Locator, field: str, words: str) -> None:
    """Choose as a person does: once more where a rerun, of the other file's step, closed the list."""
    box = card.locator(f"[class*=st-key-{field}-] input").first
    for _ in range(4):
        idle(card.page)
        box.click(timeout=STEP)
        box.fill(words)
        try:
            card.page.locator("[role=option]").filter(has_text=words).first.click(timeout=5_000)
        except TimeoutError:
            card.page.keyboard.press("Escape")
        else:
            break
    else:
        raise AssertionError(f"{words} cannot be chosen")
    idle(card.page)


def test_a_hard_and_a_soft_one_side_by_side_on_unseen_images_into_a_pdf(
    opened: Opened, server: Server, tmp_path: Path
) -> None:
    page = opened.page
    files = [saved(kind, tmp_path) for kind in ("hard", "soft")]
    open_page(page, server)
    drop(page, *files)
    for kind, words in (("hard", "hard targets"), ("soft", "label smoothing")):
        card = card_of(page, f"our-{kind}.pth")
        if kind == "hard":
            select(card, "dataset", "CIFAR-10, 1,000 test images")
        else:
            chosen = card.locator("[class*=st-key-dataset-] input").first
            assert chosen.input_value() == "CIFAR-10, 1,000 test images", "as for the first"
        card.get_by_text("There is no training split here").wait_for()
        select(card, "targets", words)
        known = card.locator("[class*=st-key-expected-] input")
        known.fill(str(ACCURACY[kind]))
        known.press("Enter")
        idle(page)
        card.get_by_role("button", name="Check on 512 images").click()
    for kind in ACCURACY:
        card = card_of(page, f"our-{kind}.pth")
        card.get_by_text("on 1,000 test images. Is that the accuracy you expect?").wait_for(timeout=STEP)
        idle(page)
        assert card.locator("[data-testid=stAlert]").count() == 0, "the accuracy stated is the true one"
        card.get_by_role("button", name="Yes, draw").click()
        card.get_by_text("It is on Clusters.").wait_for(timeout=STEP)
    idle(page)
    card_of(page, "our-soft.pth").get_by_role("link", name="See it on Clusters").click()
    page.locator(".pz-foot").filter(has_text="Runs our-hard, our-soft;").wait_for(timeout=STEP)
    page.wait_for_selector(".js-plotly-plot .scatterlayer", timeout=STEP)
    idle(page)
    foot = page.locator(".pz-foot").inner_text()
    assert "Runs our-hard, our-soft;" in foot
    assert "test 100 drawn of 100" in foot
    assert "train 1" not in foot
    finding = page.locator(".pz-finding").first.inner_text()
    assert any(words in finding for words in ("tighter", "looser", "No clear difference"))
    page.get_by_role("button", name="Export").first.click()
    page.wait_for_selector("[role=dialog] img", timeout=60_000)
    figure = download(page, "Figure (PDF)", tmp_path)
    assert figure.read_bytes().startswith(b"%PDF")
    assert "torch" not in server.modules()


def test_the_example_is_checked_and_drawn_in_two_clicks(opened: Opened, server: Server) -> None:
    page = opened.page
    open_page(page, server)
    page.get_by_role("button", name="Try an example").click()
    page.get_by_text("on 1,000 test images. Is that the accuracy you expect?").wait_for(timeout=STEP)
    page.get_by_text("The file stores test_acc = 84.0 %, which agrees.").wait_for()
    assert page.get_by_role("button", name="Try an example").count() == 0
    page.get_by_role("button", name="Yes, draw").click()
    page.get_by_role("link", name="See it on Clusters").click(timeout=STEP)
    settled(page, runs=1, splits=1)
    assert "test" in page.locator(".pz-foot").inner_text()


LINES = """
import torch
from torch import nn
torch.manual_seed(0)
model = nn.Sequential(nn.Flatten(), nn.Linear(12, 7), nn.Tanh(), nn.Linear(7, 4))
test_loader = [(torch.rand(40, 3, 2, 2), torch.arange(40) % 4)]
"""


def test_an_unrecognised_one_comes_in_by_the_lines_that_its_card_shows(
    opened: Opened, server: Server, tmp_path: Path
) -> None:
    page = opened.page
    network: dict[str, object] = {}
    exec(LINES, network)
    torch.save(network["model"].state_dict(), tmp_path / "own.pth")  # type: ignore[attr-defined]
    open_page(page, server)
    drop(page, tmp_path / "own.pth")
    page.get_by_text("No network that penviz knows").wait_for(timeout=STEP)
    code = page.locator("[class*=st-key-card-] [data-testid=stCode]").inner_text()
    subprocess.run([sys.executable, "-c", LINES + code], cwd=tmp_path, check=True, timeout=300)
    page.set_input_files("input[type=file]", str(tmp_path / "mine.zip"))
    page.locator(".st-key-mine-mine").wait_for(timeout=STEP)
    card_of(page, "mine.zip").get_by_role("link", name="See it on Clusters").click()
    page.wait_for_selector(".js-plotly-plot .scatterlayer", timeout=STEP)
    assert "Runs mine;" in page.locator(".pz-foot").inner_text()


@pytest.mark.slow
def test_a_file_of_300_mb_is_read_and_recognised(opened: Opened, server: Server, tmp_path: Path) -> None:
    network = architectures.build("torchvision:vit_b_16", 10)
    torch.save({"state_dict": network.state_dict()}, tmp_path / "large.pth")
    assert (tmp_path / "large.pth").stat().st_size > 300e6
    page = opened.page
    open_page(page, server)
    drop(page, tmp_path / "large.pth")
    found = page.locator("[class*=st-key-model-] input")
    found.wait_for(timeout=STEP)
    assert found.input_value().startswith("torchvision:vit_b_16 · all")
