"""Networks of public repositories, written anew under the names that their keys have there, and narrow.

They are the reference for what penviz recognises, so none of penviz is used. A network has the attribute
`head`, the name of its last linear layer, and `shape`, what one image is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

RGB, GREY = (3, 32, 32), (1, 28, 28)


class Net(nn.Module):
    """Named layers and what is done with them."""

    def __init__(self, run: Callable[[Any, Tensor], Tensor], **layers: nn.Module):
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def classifier(network: nn.Module, head: str, shape: tuple[int, int, int] = RGB) -> nn.Module:
    network.head, network.shape = head, shape
    return network


def conv(a: int, b: int, kernel: int = 3, stride: int = 1, bias: bool = False, **more: Any) -> nn.Conv2d:
    return nn.Conv2d(a, b, kernel, stride, more.pop("padding", kernel // 2), bias=bias, **more)


def named(**layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))


def mean(x: Tensor) -> Tensor:
    return x.mean((2, 3))


bn = nn.BatchNorm2d

relu = F.relu


def cifar_tutorial(channels: int = 3, k: int = 10) -> nn.Module:
    """pytorch.org, Training a Classifier; with one channel and a padding of 2 it is the usual LeNet-5."""

    def run(m: Any, x: Tensor) -> Tensor:
        x = F.max_pool2d(relu(m.conv1(x)), 2)
        x = F.max_pool2d(relu(m.conv2(x)), 2).flatten(1)
        return m.fc3(relu(m.fc2(relu(m.fc1(x)))))

    stem = conv(channels, 6, 5, bias=True, padding=2 if channels == 1 else 0)
    layers = {"conv1": stem, "conv2": conv(6, 16, 5, bias=True, padding=0)}
    dense = {"fc1": nn.Linear(400, 120), "fc2": nn.Linear(120, 84), "fc3": nn.Linear(84, k)}
    return classifier(Net(run, **layers, **dense), "fc3", GREY if channels == 1 else RGB)


def mnist_example() -> nn.Module:
    """pytorch/examples, mnist, since 2019."""

    def run(m: Any, x: Tensor) -> Tensor:
        x = F.max_pool2d(relu(m.conv2(relu(m.conv1(x)))), 2).flatten(1)
        return F.log_softmax(m.fc2(relu(m.fc1(x))), 1)

    convs = {"conv1": conv(1, 32, bias=True, padding=0), "conv2": conv(32, 64, bias=True, padding=0)}
    return classifier(Net(run, **convs, fc1=nn.Linear(9216, 128), fc2=nn.Linear(128, 10)), "fc2", GREY)


def mnist_pooled(widths: tuple[int, int, int]) -> nn.Module:
    """pytorch/examples, mnist, of 2017 (10, 20, 50) and of 2018 (20, 50, 500), as Caffe's LeNet."""
    a, b, c = widths

    def run(m: Any, x: Tensor) -> Tensor:
        x = relu(F.max_pool2d(m.conv1(x), 2))
        x = relu(F.max_pool2d(m.conv2(x), 2)).flatten(1)
        return m.fc2(relu(m.fc1(x)))

    convs = {"conv1": conv(1, a, 5, bias=True, padding=0), "conv2": conv(a, b, 5, bias=True, padding=0)}
    return classifier(Net(run, **convs, fc1=nn.Linear(16 * b, c), fc2=nn.Linear(c, 10)), "fc2", GREY)


def lenet5_c1() -> nn.Module:
    """activatedgeek/LeNet-5."""
    convnet = named(
        c1=conv(1, 6, 5, bias=True, padding=0), relu1=nn.ReLU(), s2=nn.MaxPool2d(2),
        c3=conv(6, 16, 5, bias=True, padding=0), relu3=nn.ReLU(), s4=nn.MaxPool2d(2),
        c5=conv(16, 120, 5, bias=True, padding=0), relu5=nn.ReLU(),
    )  # fmt: skip
    fc = named(f6=nn.Linear(120, 84), relu6=nn.ReLU(), f7=nn.Linear(84, 10), sig7=nn.LogSoftmax(-1))
    run = Net(lambda m, x: m.fc(m.convnet(x).flatten(1)), convnet=convnet, fc=fc)
    return classifier(run, "fc.f7", (1, 32, 32))


def trades_cnn() -> nn.Module:
    """yaodongyu/TRADES, models/small_cnn.py."""
    body = named(
        conv1=conv(1, 32, bias=True, padding=0), relu1=nn.ReLU(), conv2=conv(32, 32, bias=True, padding=0),
        relu2=nn.ReLU(), maxpool1=nn.MaxPool2d(2), conv3=conv(32, 64, bias=True, padding=0), relu3=nn.ReLU(),
        conv4=conv(64, 64, bias=True, padding=0), relu4=nn.ReLU(), maxpool2=nn.MaxPool2d(2),
    )  # fmt: skip
    dense = named(
        fc1=nn.Linear(1024, 200), relu1=nn.ReLU(), drop=nn.Dropout(), fc2=nn.Linear(200, 200),
        relu2=nn.ReLU(), fc3=nn.Linear(200, 10),
    )  # fmt: skip
    run = Net(
        lambda m, x: m.classifier(m.feature_extractor(x).flatten(1)), feature_extractor=body, classifier=dense
    )
    return classifier(run, "classifier.fc3", GREY)


def quickstart() -> nn.Module:
    """pytorch.org, Quickstart."""
    stack = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    run = Net(lambda m, x: m.linear_relu_stack(x.flatten(1)), linear_relu_stack=stack)
    return classifier(run, "linear_relu_stack.4", GREY)


def resnet9(w: int = 4) -> nn.Module:
    """The ResNet-9 of the Jovian course."""

    def block(a: int, b: int, pool: bool = False) -> nn.Sequential:
        return nn.Sequential(conv(a, b, bias=True), bn(b), nn.ReLU(), *([nn.MaxPool2d(2)] if pool else []))

    def run(m: Any, x: Tensor) -> Tensor:
        x = m.conv2(m.conv1(x))
        x = m.conv4(m.conv3(m.res1(x) + x))
        return m.classifier(m.res2(x) + x)

    layers = {
        "conv1": block(3, w), "conv2": block(w, 2 * w, True),
        "res1": nn.Sequential(block(2 * w, 2 * w), block(2 * w, 2 * w)),
        "conv3": block(2 * w, 4 * w, True), "conv4": block(4 * w, 8 * w, True),
        "res2": nn.Sequential(block(8 * w, 8 * w), block(8 * w, 8 * w)),
        "classifier": nn.Sequential(nn.MaxPool2d(4), nn.Flatten(), nn.Dropout(0.2), nn.Linear(8 * w, 10)),
    }  # fmt: skip
    return classifier(Net(run, **layers), "classifier.3")
