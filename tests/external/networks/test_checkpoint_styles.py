"""Every style of public checkpoints is recognised, asked about, or refused with what helps."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from external.networks.checkpoint_styles import STYLES, Style, stirred
from torch import Tensor, nn

from penviz.external.evidence.head import HeadProof, features_and_scores, prove_head
from penviz.external.importing import set_up
from penviz.external.importing.import_options import Request
from penviz.external.reader.inspection import inspect_file
from penviz.store.run_config import RunError


def written(style: Style, path: Path) -> nn.Module:
    """The network of a style, after it was saved."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = stirred(style.network())
        style.save(path, network.state_dict(), network)
    return network.eval()


def outcome(path: Path) -> tuple[str, str, nn.Module | None]:
    """What becomes of a file on the command line: an outcome of a style, what is said, and the network."""
    report = inspect_file(path)
    if report.refusal:
        helps = report.lines or report.advice
        return ("refused" if helps else "refused without help"), report.refusal, None
    said: list[str] = []
    try:
        name, network = set_up.find_network(path, report, None, Request(), said.append)
    except RunError as error:
        return ("--model" if "--model" in str(error) else "a dead end"), str(error), None
    return "recognised", name, network


@torch.no_grad()
def same_network(theirs: nn.Module, ours: nn.Module) -> None:
    """Scores and what enters the last layer are those of the reference; the head is proved."""
    batch = torch.rand(4, *theirs.shape, generator=torch.Generator().manual_seed(1))
    entered: list[Tensor] = []
    theirs.get_submodule(theirs.head).register_forward_pre_hook(lambda _, x: entered.append(x[0].flatten(1)))
    scores = theirs(batch)
    proof = prove_head(ours, batch)
    assert isinstance(proof, HeadProof), proof
    features, logits = features_and_scores(ours, proof, batch)
    scale = scores.abs().max()
    torch.testing.assert_close(
        logits.log_softmax(1), scores.log_softmax(1), atol=1e-4 * float(scale), rtol=1e-3
    )
    torch.testing.assert_close(features, entered[0], atol=1e-4 * float(entered[0].abs().max()), rtol=1e-3)
    assert float(scores.std(0).max()) > 1e-6 * float(scale)  # the images matter


def test_the_list() -> None:
    assert len({style.label for style in STYLES}) == len(STYLES) >= 60
    assert Counter(style.outcome for style in STYLES)["recognised"] >= 40


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.label)
def test_a_style(style: Style, tmp_path: Path) -> None:
    # without timm's resnetblur18, which has the same keys, a fine-tuned ResNet-18 is not ambiguous
    if "timm" in style.source or style.label in ("efficientnet-lite0", "finetuned-resnet18"):
        pytest.importorskip("timm")
    path = tmp_path / "theirs.pth"
    theirs = written(style, path)
    found, said, ours = outcome(path)
    assert found == style.outcome, said
    if ours is not None:
        same_network(theirs, ours)
        with torch.no_grad():
            assert ours(torch.rand(2, *theirs.shape)).shape == (2, style.n_classes)


def test_each_name_that_is_asked_for_is_taken(tmp_path: Path) -> None:
    """torchvision's MobileNetV2 has the keys of the one for CIFAR, whose strides differ: both are offered."""
    path = tmp_path / "theirs.pth"
    style = next(style for style in STYLES if style.label == "huyvnphan-mobilenetv2")
    theirs = {
        name: written(style, path) for name in ("torchvision:mobilenet_v2", "cifar:mobilenetv2-features")
    }
    small = theirs["cifar:mobilenetv2-features"]
    small.features[0][0].stride = small.features[2].conv[1][0].stride = (1, 1)
    small.shape = (3, 32, 32)
    _, said, _ = outcome(path)
    names = said.rpartition("--model: ")[2].rstrip(".").split(", ")
    assert set(names) == theirs.keys()
    for name in names:
        _, ours = set_up.find_network(path, inspect_file(path), None, Request(model=name), print)
        same_network(theirs[name], ours)


def test_a_network_of_ones_own_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "theirs.pth"
    theirs = written(next(style for style in STYLES if style.label == "own-mlp"), path)
    said = outcome(path)[1]
    assert "--model package.module:Name or --model file.py:Name" in said
    monkeypatch.chdir(tmp_path)
    source = "from external.networks.checkpoint_styles import mlp\n\n\ndef network():\n    return mlp()\n"
    (tmp_path / "of_their_own.py").write_text(source)
    for name in ("of_their_own:network", "of_their_own.py:network"):
        request = Request(model=name)
        same_network(theirs, set_up.find_network(path, inspect_file(path), None, request, print)[1])
