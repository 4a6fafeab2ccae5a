from __future__ import annotations

import pytest
import torch
from torch import nn

from penviz.store.run_config import RunError
from penviz.training import models
from penviz.training.models import MODELS, LocalResponseNorm, build

torch.set_num_threads(1)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("shape", "n_classes"), [((3, 16, 16), 10), ((1, 9, 12), 3)])
def test_features_then_head(name: str, shape: tuple[int, int, int], n_classes: int) -> None:
    torch.manual_seed(11)
    expected_draw = torch.rand(4)
    torch.manual_seed(11)
    network = build(name, shape, n_classes, seed=5).eval()
    assert torch.equal(torch.rand(4), expected_draw), "the global generator was used"
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features = network.features(x)
        assert features.shape == (3, MODELS[name].width)
        assert isinstance(network.head, nn.Linear)
        assert network.head.weight.shape == (n_classes, MODELS[name].width)
        assert network.head.bias is not None
        assert torch.equal(network.head(features), network(x))
    again, other = build(name, shape, n_classes, seed=5), build(name, shape, n_classes, seed=6)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))
    assert not torch.equal(network.head.weight, other.head.weight)
    own = {id(p) for p in network.parameters()}
    assert all(id(p) in own for p in network.decayed)


def n_parameters(name: str, shape: tuple[int, int, int] = (3, 32, 32), n_classes: int = 10) -> int:
    return sum(p.numel() for p in build(name, shape, n_classes).parameters())


@pytest.mark.parametrize(
    ("name", "millions"), [("resnet20", 0.27), ("resnet32", 0.46), ("resnet44", 0.66), ("resnet56", 0.85)]
)
def test_sizes_of_he_et_al(name: str, millions: float) -> None:
    """He et al. 2016, table 6. Option A has no parameters in its shortcuts."""
    assert round(n_parameters(name) / 1e6, 2) == millions


@pytest.mark.parametrize("depth", [20, 32, 44, 56])
def test_layers_of_he_et_al(depth: int) -> None:
    network = build(f"resnet{depth}", (3, 32, 32), 10)
    weighted = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(weighted) == depth
    n = (depth - 2) // 6
    convolutions = 3 * 16 * 9 + 2 * n * 16 * 16 * 9  # stem, first stage
    convolutions += 16 * 32 * 9 + (2 * n - 1) * 32 * 32 * 9 + 32 * 64 * 9 + (2 * n - 1) * 64 * 64 * 9
    norms = 2 * (16 + 2 * n * (16 + 32 + 64))
    assert n_parameters(f"resnet{depth}") == convolutions + norms + 64 * 10 + 10


@pytest.mark.parametrize("name", ["resnet20", "paper_resnet56"])
def test_each_stage_but_the_first_halves_the_image(name: str) -> None:
    network = build(name, (3, 32, 32), 10).eval()
    sides: list[tuple[int, int]] = []
    for module in network.modules():
        if isinstance(module, models.BasicBlock | models.PreactivationBlock):
            module.register_forward_hook(lambda m, args, out: sides.append((out.shape[1], out.shape[2])))
    with torch.no_grad():
        network(torch.zeros(1, 3, 32, 32))
    n = len(sides) // 3
    widths = (16, 32, 64) if name == "resnet20" else (32, 64, 128)
    assert sides == [pair for pair in zip(widths, (32, 16, 8), strict=True) for _ in range(n)]


def test_tutorial_alexnet_by_hand() -> None:
    convolutions = (5 * 5 * 3 * 64 + 64) + (5 * 5 * 64 * 64 + 64)
    dense = (6 * 6 * 64 * 384 + 384) + (384 * 192 + 192) + (192 * 10 + 10)
    assert n_parameters("tutorial_alexnet", (3, 24, 24)) == convolutions + dense == 1_068_298
    network = build("tutorial_alexnet", (3, 24, 24), 10)
    assert [tuple(p.shape) for p in network.decayed] == [(384, 2304), (192, 384)]
    assert network.head.weight.detach().abs().max() <= 2 / 192 + 1e-6
    assert network.head.weight.detach().std() == pytest.approx(
        0.88 / 192, rel=0.05
    )  # of a normal cut at 2 sigma


def test_fully_connected_by_hand() -> None:
    for width in (800, 1200):
        expected = 784 * width + width + width * width + width + width * 10 + 10
        assert n_parameters(f"fc{width}", (1, 28, 28)) == expected


def test_compact_resnet_by_hand() -> None:
    convolutions = 3 * 32 * 9 + (32 + 64) * 64 * 9 + (64 + 128) * 128 * 9 + (128 + 256) * 256 * 9
    norms = 2 * (32 + 2 * (64 + 128 + 256))
    assert n_parameters("compact_resnet") == convolutions + norms + 256 * 10 + 10 == 1_166_506
    network = build("compact_resnet", (3, 32, 32), 10).eval()
    blocks = [m for m in network.modules() if isinstance(m, models.BasicBlock)]
    sides: list[tuple[int, ...]] = []
    for block in blocks:
        block.register_forward_hook(lambda m, args, out: sides.append(tuple(out.shape[1:])))
    with torch.no_grad():
        features = network.features(torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert sides == [(64, 16, 16), (128, 8, 8), (256, 4, 4)]
    assert (features >= 0).all(), "the last block ends in a ReLU"
    assert "not a network of the paper" in MODELS["compact_resnet"].about


def test_paper_resnet56() -> None:
    network = build("paper_resnet56", (3, 16, 16), 100).eval()
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert len(convolutions) == 1 + 3 * 9 * 2
    assert [c.out_channels for c in convolutions[1::18]] == [32, 64, 128]
    assert type(list(network.features.children())[-1]).__name__ == "GlobalMean"
    assert type(list(network.features.children())[-2]).__name__ == "PreactivationBlock"
    x = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        signed = network.features(x)
        usual = build("resnet56", (3, 16, 16), 100).eval().features(x)
    assert signed.shape == (8, 128)
    assert (signed < 0).float().mean() > 0.1
    assert (usual >= 0).all()


def lrn_slowly(x: torch.Tensor, radius: int, bias: float, alpha: float, beta: float) -> torch.Tensor:
    """tf.nn.local_response_normalization, value by value."""
    out = torch.empty_like(x)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            low, high = max(0, c - radius), min(x.shape[1], c + radius + 1)
            total = sum(x[n, k] ** 2 for k in range(low, high))
            out[n, c] = x[n, c] / (bias + alpha * total) ** beta
    return out


def test_local_response_norm() -> None:
    x = 30 * torch.randn(2, 20, 3, 4, generator=torch.Generator().manual_seed(0)).double()
    ours = LocalResponseNorm(20).double()(x)
    assert torch.allclose(ours, lrn_slowly(x, 4, 1.0, 0.001 / 9, 0.75), rtol=1e-6)
    # torch divides alpha by the window
    assert torch.allclose(ours, nn.LocalResponseNorm(9, alpha=0.001, beta=0.75, k=1.0)(x), rtol=1e-6)
    for wrong in (
        nn.LocalResponseNorm(9, alpha=0.001 / 9, beta=0.75, k=1.0),
        nn.LocalResponseNorm(8, alpha=0.001, beta=0.75, k=1.0),
        nn.LocalResponseNorm(9, alpha=0.001, beta=0.5, k=1.0),
        nn.LocalResponseNorm(9, alpha=0.001, beta=0.75, k=2.0),
    ):
        assert not torch.allclose(ours, wrong(x), rtol=1e-4)
    norms = [m for m in build("tutorial_alexnet", (3, 8, 8), 4).modules() if isinstance(m, LocalResponseNorm)]
    assert [(m.alpha, m.bias) for m in norms] == [(0.001 / 9, 1.0)] * 2
    assert not any("window" in key for key in build("tutorial_alexnet", (3, 8, 8), 4).state_dict())


def same_pool(x: torch.Tensor) -> torch.Tensor:
    """TensorFlow's max_pool 3 x 3, stride 2, SAME: of the padding, half stands before."""
    sides = []
    for n in x.shape[2:]:
        out = -(-n // 2)
        total = max((out - 1) * 2 + 3 - n, 0)
        sides.append((out, total // 2))
    result = torch.full((*x.shape[:2], sides[0][0], sides[1][0]), float("-inf"))
    for i in range(sides[0][0]):
        for j in range(sides[1][0]):
            for di in range(3):
                for dj in range(3):
                    y, z = 2 * i - sides[0][1] + di, 2 * j - sides[1][1] + dj
                    if 0 <= y < x.shape[2] and 0 <= z < x.shape[3]:
                        result[:, :, i, j] = torch.maximum(result[:, :, i, j], x[:, :, y, z])
    return result


@pytest.mark.parametrize("shape", [(24, 24), (28, 28), (8, 12), (9, 10), (7, 5), (4, 11)])
def test_pooling_is_tensorflows_same(shape: tuple[int, int]) -> None:
    network = build("tutorial_alexnet", (3, *shape), 4)
    pools = [m for m in network.modules() if isinstance(m, nn.MaxPool2d)]
    assert len(pools) == 2
    x = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(7))
    for pool in pools:
        pooled = same_pool(x)
        assert torch.equal(pool(x), pooled)
        assert tuple(pooled.shape[2:]) == tuple(-(-side // 2) for side in x.shape[2:])
        x = pooled
    x = torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(7))
    assert not torch.equal(nn.MaxPool2d(3, 2, padding=1)(x), same_pool(x))


def test_order_of_the_layers() -> None:
    """Pool before norm in the first block, norm before pool in the second, as in the tutorial."""
    names = [type(m).__name__ for m in build("tutorial_alexnet", (3, 24, 24), 10).features.children()]
    block1 = ["Conv2d", "ReLU", "MaxPool2d", "LocalResponseNorm"]
    block2 = ["Conv2d", "ReLU", "LocalResponseNorm", "MaxPool2d"]
    assert names == [*block1, *block2, "Flatten", "Linear", "ReLU", "Linear", "ReLU"]


def test_decay_leaves_biases_and_norms_alone() -> None:
    network = build("resnet20", (3, 8, 8), 10)
    decayed = {id(p) for p in network.decayed}
    for name, parameter in network.named_parameters():
        assert (id(parameter) in decayed) == (parameter.ndim > 1), name


def test_unknown_and_too_small() -> None:
    with pytest.raises(RunError, match="There is no network alexnet: choose one of tutorial_alexnet"):
        build("alexnet", (3, 32, 32), 10)
    with pytest.raises(RunError, match="at least 4 pixels"):
        build("resnet20", (3, 32, 3), 10)
    assert all(models.architecture(name).about for name in MODELS)
