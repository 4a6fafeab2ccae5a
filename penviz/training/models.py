"""penviz's own networks, each `features` then `head`.

Images [n, channels, height, width] -> features [n, d] -> logits [n, K].
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from penviz.did_you_mean import did_you_mean
from penviz.store.run_config import RunError
from penviz.training import zoo
from penviz.training.network import Architecture, Network


class LocalResponseNorm(nn.Module):
    """TensorFlow's local response normalisation across channels, as one 1 x 1 convolution.

    x / (bias + alpha * sum of x^2 over the window)^0.75, window 2 * radius + 1. torch's own divides alpha by
    the window and is several times slower on a CPU; equal to it within rounding (a test).
    """

    def __init__(self, channels: int, radius: int = 4, alpha: float = 0.001 / 9, bias: float = 1.0):
        super().__init__()
        self.alpha, self.bias = alpha, bias
        near = (torch.arange(channels)[:, None] - torch.arange(channels)[None]).abs() <= radius
        self.register_buffer("window", near.float()[:, :, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[n, channels, h, w] -> the same shape."""
        assert isinstance(self.window, Tensor)
        sums = F.conv2d(x * x, self.window.to(x.dtype))
        scale = sums.mul_(self.alpha).add_(self.bias).rsqrt_()
        return x * scale * torch.sqrt(scale)  # scale^1.5 = (...)^-0.75


def _tutorial_alexnet(shape: tuple[int, int, int], n_classes: int) -> Network:
    channels, height, width = shape
    pools = []
    for _ in range(2):
        # TensorFlow's SAME padding: an even side is padded at its end only, an odd one at both.
        pools.append(nn.MaxPool2d(3, 2, padding=(height % 2, width % 2), ceil_mode=True))
        height, width = -(-height // 2), -(-width // 2)
    hidden1, hidden2 = nn.Linear(64 * height * width, 384), nn.Linear(384, 192)
    conv1, conv2 = nn.Conv2d(channels, 64, 5, padding=2), nn.Conv2d(64, 64, 5, padding=2)
    head = nn.Linear(192, n_classes)
    # Initial values of the tutorial: normals truncated at two standard deviations, small positive biases.
    for layer, std, bias in (
        (conv1, 0.05, 0.0),
        (conv2, 0.05, 0.1),
        (hidden1, 0.04, 0.1),
        (hidden2, 0.04, 0.1),
        (head, 1 / 192, 0.0),
    ):
        nn.init.trunc_normal_(layer.weight, std=std, a=-2 * std, b=2 * std)
        assert layer.bias is not None
        nn.init.constant_(layer.bias, bias)
    features = nn.Sequential(
        conv1,
        nn.ReLU(inplace=True),
        pools[0],
        LocalResponseNorm(64),
        conv2,
        nn.ReLU(inplace=True),
        LocalResponseNorm(64),
        pools[1],
        nn.Flatten(),
        hidden1,
        nn.ReLU(inplace=True),
        hidden2,
        nn.ReLU(inplace=True),
    )
    return Network(features, head, decayed=[hidden1.weight, hidden2.weight])


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions with batch norm; the shortcut subsamples and pads with zeros (option A)."""

    def __init__(self, width_in: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.stride, self.extra = stride, width - width_in

    def forward(self, x: Tensor) -> Tensor:
        """[n, width_in, h, w] -> [n, width, h / stride, w / stride]."""
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        if self.stride > 1 or self.extra:
            x = F.pad(
                x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.extra // 2, -(-self.extra // 2))
            )
        return F.relu(out + x, inplace=True)


class PreactivationBlock(nn.Module):
    """Norm and ReLU before each convolution; a 1 x 1 projection of the normed input where widths change."""

    def __init__(self, width_in: int, width: int, stride: int):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(width_in)
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        project = stride > 1 or width_in != width
        self.shortcut = nn.Conv2d(width_in, width, 1, stride, bias=False) if project else None

    def forward(self, x: Tensor) -> Tensor:
        """[n, width_in, h, w] -> [n, width, h / stride, w / stride]."""
        inner = F.relu(self.bn1(x), inplace=True)
        out = self.conv2(F.relu(self.bn2(self.conv1(inner)), inplace=True))
        joined: Tensor = out + (x if self.shortcut is None else self.shortcut(inner))
        return joined


class GlobalMean(nn.Module):
    """Mean over the image: [n, channels, h, w] -> [n, channels]."""

    def forward(self, x: Tensor) -> Tensor:
        """[n, channels, h, w] -> [n, channels]."""
        return x.mean((2, 3))


def _he(network: Network) -> Network:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network


def _stages(
    block: type[BasicBlock] | type[PreactivationBlock], n: int, widths: tuple[int, ...]
) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    before = 16
    for stage, width in enumerate(widths):
        for i in range(n):
            blocks.append(block(before, width, 2 if stage and i == 0 else 1))
            before = width
    return blocks


def _resnet(n: int) -> Callable[[tuple[int, int, int], int], Network]:
    def build(shape: tuple[int, int, int], n_classes: int) -> Network:
        stem = [nn.Conv2d(shape[0], 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)]
        features = nn.Sequential(*stem, *_stages(BasicBlock, n, (16, 32, 64)), GlobalMean())
        return _he(Network(features, nn.Linear(64, n_classes)))

    return build


def _compact_resnet(shape: tuple[int, int, int], n_classes: int) -> Network:
    stem = [nn.Conv2d(shape[0], 32, 3, 1, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(inplace=True)]
    blocks = [BasicBlock(before, width, 2) for before, width in ((32, 64), (64, 128), (128, 256))]
    return _he(Network(nn.Sequential(*stem, *blocks, GlobalMean()), nn.Linear(256, n_classes)))


def _paper_resnet56(shape: tuple[int, int, int], n_classes: int) -> Network:
    stem = nn.Conv2d(shape[0], 16, 3, 1, 1, bias=False)
    features = nn.Sequential(stem, *_stages(PreactivationBlock, 9, (32, 64, 128)), GlobalMean())
    return _he(Network(features, nn.Linear(128, n_classes)))


def _fully_connected(width: int) -> Callable[[tuple[int, int, int], int], Network]:
    def build(shape: tuple[int, int, int], n_classes: int) -> Network:
        n_inputs = shape[0] * shape[1] * shape[2]
        hidden1, hidden2 = nn.Linear(n_inputs, width), nn.Linear(width, width)
        head = nn.Linear(width, n_classes)
        # The paper says Gaussian with a variance of 0.03. Taken at its word, the logits of standardised
        # images start at a hundred; 0.03 as the standard deviation starts them below one.
        for layer in (hidden1, hidden2, head):
            nn.init.normal_(layer.weight, std=0.03)
            nn.init.zeros_(layer.bias)
        layers = (nn.Flatten(), hidden1, nn.ReLU(inplace=True), hidden2, nn.ReLU(inplace=True))
        return Network(nn.Sequential(*layers), head)

    return build


MODELS: dict[str, Architecture] = {
    "tutorial_alexnet": Architecture(
        _tutorial_alexnet,
        'the "AlexNet" of Müller et al. 2019: the TensorFlow CIFAR-10 tutorial CNN',
        192,
        least_side=4,
        recipe={"loss_factor": 3.0, "weight_decay": 0.04, "lr": 0.01, "crop": 24, "flip": True},
    ),
    **{
        f"resnet{6 * n + 2}": Architecture(
            _resnet(n),
            f"the usual CIFAR ResNet-{6 * n + 2} (He et al. 2016): 16/32/64 channels, free shortcuts",
            64,
            least_side=4,
            recipe={"pad": 4, "crop": 32, "flip": True},
        )
        for n in (3, 5, 7, 9)
    },
    "paper_resnet56": Architecture(
        _paper_resnet56,
        "the ResNet-56 of Müller et al. 2019: pre-activation, 32/64/128 channels, signed features",
        128,
        least_side=4,
        recipe={"loss_factor": 3.0, "clip_norm": 1.0, "pad": 4, "crop": 32, "flip": True},
    ),
    "compact_resnet": Architecture(
        _compact_resnet,
        "a demonstration that fits its training data within hours on a CPU, not a network of the paper: "
        "a stem of 32 channels and one residual block each at 64, 128 and 256",
        256,
        least_side=4,
        recipe={"lr": 0.1, "weight_decay": 5e-4, "pad": 4, "crop": 32, "flip": True},
    ),
    "fc1200": Architecture(
        _fully_connected(1200),
        "two fully connected layers of 1,200, the MNIST teacher of Müller et al. 2019",
        1200,
        recipe={"lr": 0.05},
    ),
    "fc800": Architecture(
        _fully_connected(800),
        "two fully connected layers of 800, the MNIST student of Müller et al. 2019",
        800,
        recipe={"lr": 0.05},
    ),
}


def architecture(model: str) -> Architecture:
    """The entry of MODELS for a name, or torchvision's (zoo.py); RunError naming the known ones otherwise."""
    if model in MODELS:
        return MODELS[model]
    if model.startswith("torchvision:"):
        return zoo.architecture(model)
    known = ", ".join([*MODELS, "torchvision:NAME"])
    raise RunError(f"There is no network {model}{did_you_mean(model, MODELS)}: choose one of {known}.")


def build(
    model: str, shape: tuple[int, int, int], n_classes: int, seed: int = 0, dropout: float = 0.0
) -> Network:
    """Build a network with initial weights drawn from a seed, leaving torch's global generator as it was.

    Args:
        model: a name in MODELS, or torchvision:NAME.
        shape: (channels, height, width) of what the network is fed.
        n_classes: K.
        seed: of the initial weights.
        dropout: on the input of the head, in training mode only.

    Raises:
        RunError: an unknown name, or images too small for the network.
    """
    chosen = architecture(model)
    if min(shape[1:]) < chosen.least_side:
        raise RunError(f"{model} needs images of at least {chosen.least_side} pixels a side.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = chosen.build(shape, n_classes)
    network.dropout = dropout
    return network
