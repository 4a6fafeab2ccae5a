from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from penviz.store.runs import Run
from penviz.training import checkpoints, evaluate
from penviz.training.data_set import DataSet
from penviz.training.network import Network
from penviz.training.robustness import attacked, loss_gradient, noisy, robustness

WEIGHT = torch.tensor([[1.0, -2.0, 0.5, 0.0], [-1.0, 1.0, 0.25, 3.0]])


def plain(pixels: torch.Tensor) -> torch.Tensor:
    """Images [n, channels, height, width] in [0, 1] of stored pixels."""
    return pixels.permute(0, 3, 1, 2) / 255


def linear(scale: float = 1.0) -> Network:
    """Two classes on four pixels, logits by hand."""
    network = Network(nn.Flatten(), nn.Linear(4, 2), scaling=plain)
    with torch.no_grad():
        network.head.weight.copy_(WEIGHT * scale)
        network.head.bias.zero_()
    return network.eval()


def pictures(n: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return 0.3 + 0.4 * torch.rand(n, 2, 2, 1, generator=generator), torch.arange(n) % 2


@pytest.mark.parametrize("loss", ["cross-entropy", "margin"])
def test_the_margin_of_a_linear_network_falls_by_epsilon_times_the_l1_norm(loss: str) -> None:
    x, y = pictures()
    moved = attacked(linear(), x, y, 0.05, loss=loss)
    for i in range(len(x)):
        towards = WEIGHT[1 - y[i]] - WEIGHT[y[i]]
        expected = x[i].flatten() + 0.05 * towards.sign()
        assert torch.allclose(moved[i].flatten(), expected)
        fell = towards @ (moved[i] - x[i]).flatten()
        assert float(fell) == pytest.approx(0.05 * float(towards.abs().sum()), rel=1e-5)


def test_the_gradient_of_the_loss_by_hand() -> None:
    x, y = pictures()
    found = loss_gradient(linear(), x, y).flatten(1)
    for i in range(len(x)):
        z = (WEIGHT @ x[i].flatten()).tolist()
        p = [math.exp(v) / sum(map(math.exp, z)) for v in z]
        expected = sum((p[k] - (k == int(y[i]))) * WEIGHT[k] for k in range(2))
        assert torch.allclose(found[i], expected, atol=1e-6)


def test_a_sure_network_hides_its_gradient_and_the_margin_finds_it() -> None:
    """The caveat itself: scaled logits stop the attack on the loss and not the one on the margin."""
    x, _ = pictures()
    sure = linear(3000.0)
    right = sure(plain(x)).argmax(1)  # no gradient is left where the network is right
    assert torch.equal(attacked(sure, x, right, 0.05), x)
    assert not torch.equal(attacked(linear(), x, right, 0.05), x)
    by_margin = attacked(sure, x, right, 0.05, loss="margin")
    assert torch.allclose(by_margin, attacked(linear(), x, right, 0.05, loss="margin"))


def test_moves_stay_within_epsilon_and_the_picture() -> None:
    x, y = pictures()
    x[0] = 0.0
    x[1] = 1.0
    for steps in (1, 10):
        moved = attacked(linear(), x, y, 0.1, steps=steps)
        assert float((moved - x).abs().max()) <= 0.1 + 1e-6
        assert float(moved.min()) >= 0
        assert float(moved.max()) <= 1
    with pytest.raises(ValueError, match="one of cross-entropy, margin"):
        attacked(linear(), x, y, 0.1, loss="other")


def test_noise_has_its_standard_deviation_and_its_seed() -> None:
    x = torch.full((50, 20, 20, 1), 0.5)
    a, b = (noisy(x, 0.1, torch.Generator().manual_seed(s)) for s in (0, 0))
    assert torch.equal(a, b)
    assert float((a - x).std()) == pytest.approx(0.1, rel=0.02)
    assert float(noisy(x, 9.0, torch.Generator().manual_seed(0)).max()) == 1.0


def test_a_trained_network(soft_run: Run, digits: DataSet) -> None:
    network = checkpoints.load_network(soft_run)
    split = digits.splits["validation"]
    found = robustness(network, split, 0, sigma=0.1, epsilon=0.1, n=300)
    _, predictions = evaluate.features_and_predictions(network, split, 0)
    assert found.clean == pytest.approx(np.mean(predictions[:300] == split.labels[:300]))
    assert found.clean > found.fgsm
    assert found.clean > found.noise - 0.02
    assert found.fgsm >= found.steps10  # more steps find no less
    nothing = robustness(network, split, 0, sigma=0.0, epsilon=0.0, n=300)
    assert nothing.clean == nothing.noise == nothing.fgsm == nothing.steps10
    assert not network.training
