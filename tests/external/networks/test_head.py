"""The head is proved: right for every kind of linear head, refused for every other end of a network."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from foreign_networks import HEADS, WITHOUT, Classifier, D, K
from torch import Tensor, nn

from penviz.external.evidence import head
from penviz.external.networks import architectures
from penviz.store.run_config import RunError


def images(seed: int = 0, n: int = 6, side: int = 8) -> Tensor:
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(seed))


def network_of(make: Any, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return make().eval()


def plain_logits(network: nn.Module, x: Tensor) -> np.ndarray:
    """What the network returns, up to a shift a row where it returns probabilities."""
    with torch.no_grad():
        out = network(x)
    out = out["logits"] if isinstance(out, dict) else out[0] if isinstance(out, tuple) else out
    scores = out.double().numpy()
    return np.log(scores) if np.allclose(scores.sum(1), 1) and (scores >= 0).all() else scores


def relative(made: np.ndarray, logits: np.ndarray, shifted: bool) -> float:
    centred = logits - logits.mean(1, keepdims=True)
    if shifted:
        made, logits = made - made.mean(1, keepdims=True), centred
    return float(np.linalg.norm(made - logits) / np.linalg.norm(centred))


@pytest.mark.parametrize("name", HEADS)
def test_a_linear_head_is_proved(name: str) -> None:
    make, kind = HEADS[name]
    network = network_of(make)
    proof = head.prove_head(network, images())
    assert isinstance(proof, head.HeadProof), proof
    assert proof.kind == kind
    assert proof.head.weight.shape == (K, D)
    fresh = images(1, 9)
    features = head.features_of(network, proof, fresh).double().numpy()
    assert features.shape == (9, D)
    made = features @ proof.head.weight.astype(float).T
    made = made if proof.head.bias is None else made + proof.head.bias.astype(float)
    assert relative(made, plain_logits(network, fresh), proof.outputs != "logits") < 1e-5


def test_the_features_are_those_that_enter_the_head() -> None:
    network = network_of(HEADS["linear"][0])
    proof = head.prove_head(network, images())
    with torch.no_grad():
        expected = network.body(images(3))  # type: ignore[operator]
    assert torch.equal(head.features_of(network, proof, images(3)), expected)


def test_scale_and_kinds_of_output_are_told() -> None:
    proofs = {name: head.prove_head(network_of(HEADS[name][0]), images()) for name in HEADS}
    assert proofs["temperature"].scale == pytest.approx(1 / 0.07, rel=1e-5)  # type: ignore[union-attr]
    assert proofs["cosine"].scale == pytest.approx(16, rel=1e-5)  # type: ignore[union-attr]
    assert np.allclose(np.linalg.norm(proofs["cosine"].head.weight, axis=1), 16)  # type: ignore[union-attr]
    assert proofs["log-probabilities"].outputs == "log-probabilities"
    assert proofs["probabilities"].outputs == "probabilities"
    assert proofs["tokens"].averaged  # type: ignore[union-attr]


@pytest.mark.parametrize("name", WITHOUT)
def test_anything_else_is_refused(name: str) -> None:
    network = network_of(WITHOUT[name])
    found = head.prove_head(network, images())
    assert isinstance(found, head.NoHead)
    assert "no single linear head" in found.sentence
    assert "class means stand in" in found.sentence
    features = head.features_of(network, found, images())
    assert features.shape == (6, D)
    assert torch.isfinite(features).all()


def test_a_small_share_of_another_head_is_not_overlooked() -> None:
    """A second head that adds a thousandth is refused; one below the tolerance is not told apart."""

    def mixed(weight: float) -> nn.Module:
        network = network_of(WITHOUT["two heads"])
        first, second = network.fc1, network.fc2
        network.forward = lambda x: first(network.first(x)) + weight * second(network.second(x))  # type: ignore[assignment,operator]
        return network

    assert isinstance(head.prove_head(mixed(1e-3), images()), head.NoHead)
    assert isinstance(head.prove_head(mixed(1e-7), images()), head.HeadProof)


def test_a_head_that_holds_on_some_images_only_is_refused() -> None:
    """The first batch is bright and gives W h + b; dark images take another way."""
    network = network_of(
        lambda: Classifier(nn.Linear(D, K), lambda fc, h: torch.where(h.sum() > 0.1, fc(h), fc(h) ** 2))
    )
    bright, dark = images().abs() * 3, torch.zeros(6, 3, 8, 8)
    with torch.no_grad():
        network.body.conv.bias.fill_(-0.05)  # type: ignore[union-attr]
    assert isinstance(head.prove_head(network, bright, bright.flip(0)), head.HeadProof)
    assert isinstance(head.prove_head(network, bright, dark + images(2) * 1e-3), head.NoHead)


def test_constant_scores_prove_nothing() -> None:
    network = network_of(HEADS["linear"][0])
    with torch.no_grad():
        network.fc.weight.zero_()  # type: ignore[union-attr]
    found = head.prove_head(network, images())
    assert isinstance(found, head.NoHead)
    assert "gives every image the same scores" in found.sentence


def test_wrappers_are_seen_through(tmp_path: Any) -> None:
    network = network_of(HEADS["linear"][0])
    plain = head.prove_head(network, images())
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        parallel = nn.parallel.DistributedDataParallel(copy.deepcopy(network))
        wrapped = [torch.compile(network), nn.DataParallel(network), parallel, torch.compile(parallel)]
        for outer in wrapped:
            found = head.prove_head(outer, images())  # type: ignore[arg-type]
            assert isinstance(found, head.HeadProof)
            assert found.module == "fc"
            assert np.array_equal(found.head.weight, plain.head.weight)  # type: ignore[union-attr]
    finally:
        torch.distributed.destroy_process_group()


def test_float64_settles_what_float32_drowns() -> None:
    """Features that hardly change beside a huge constant: float32 alone refuses, float64 decides."""
    network = network_of(lambda: Classifier(nn.Linear(D, K), lambda fc, h: fc(h)))
    with torch.no_grad():
        network.body.conv.bias.fill_(1e5)  # type: ignore[union-attr]
        assert isinstance(head._search(network, images(), images(1), "logits", {"fc": network.fc}), float)
    assert isinstance(head.prove_head(network, images(), images(1)), head.HeadProof)
    assert next(network.parameters()).dtype == torch.float32


def test_bad_outputs_are_one_sentence() -> None:
    with pytest.raises(RunError, match="NaN or infinity"):
        head.prove_head(Classifier(nn.Linear(D, K), lambda fc, h: fc(h) / 0), images())
    with pytest.raises(RunError, match="does not run on images of 3 x 2"):
        head.prove_head(Classifier(nn.Linear(3, K)), images(side=2))
    with pytest.raises(RunError, match="row of class scores"):
        head.prove_head(Classifier(nn.Linear(D, K), lambda fc, h: h[:, :, None]), images())


TORCHVISION = {
    "alexnet": "classifier.6",
    "densenet121": "classifier",
    "efficientnet_b0": "classifier.1",
    "googlenet-without-aux": "fc",
    "mobilenet_v3_small": "classifier.3",
    "regnet_y_400mf": "fc",
    "resnet18": "fc",
    "shufflenet_v2_x0_5": "fc",
    "squeezenet1_1": "",
    "swin_t": "head",
}
TIMM = {"dla34": "fc", "levit_128s": "", "convnext_atto": "head.fc", "resnetv2_50x1_bit": "head.fc"}


def examine(name: str, module: str, side: int) -> None:
    network = architectures.build(name, K)
    found = head.prove_head(network, images(n=4, side=side), images(1, 4, side))
    if not module:
        assert isinstance(found, head.NoHead)
        return
    assert isinstance(found, head.HeadProof), found
    assert found.module == module
    features, scores = head.features_and_scores(network, found, images(2, 4, side))
    made = found.head.logits(features.numpy())
    assert relative(made, scores.double().numpy(), False) < 1e-4


@pytest.mark.parametrize("name", TORCHVISION)
def test_networks_of_torchvision(name: str) -> None:
    examine(f"torchvision:{name}", TORCHVISION[name], 64)


@pytest.mark.parametrize("name", TIMM)
def test_networks_of_timm(name: str) -> None:
    pytest.importorskip("timm")
    examine(f"timm:{name}", TIMM[name], 224 if name.startswith("levit") else 64)
