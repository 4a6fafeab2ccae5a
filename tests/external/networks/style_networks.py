"""Networks of public repositories, written anew under the names that their keys have there, and narrow.

They are the reference for what penviz recognises, so none of penviz is used. A network has the attribute
`head`, the name of its last linear layer, and `shape`, what one image is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import torch
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


# Small networks of tutorials


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


# Residual networks


def stages(
    block: Callable[[int, int, int], nn.Module], blocks: Sequence[int], w: int, stem: int, out: int = 1
) -> list[list[nn.Module]]:
    """Blocks (width in, width, stride) of each stage; widths double, strides are 1, 2, 2, ..."""
    made, a = [], stem
    for stage, n in enumerate(blocks):
        made.append([])
        for i in range(n):
            made[-1].append(block(a, w * 2**stage, 2 if stage and not i else 1))
            a = w * 2**stage * out
    return made


def resnet(
    blocks: Sequence[int] = (2, 2, 2, 2),
    w: int = 8,
    deep: bool = False,
    *,
    shortcut: str = "shortcut",
    head: str = "linear",
    stem: int = 0,
    k: int = 10,
) -> nn.Module:
    """kuangliu's (shortcut, linear), chenyaofo's and others' (downsample, fc), RepDistiller's (stem)."""
    out = 4 if deep else 1

    def block(a: int, width: int, stride: int) -> nn.Module:
        b = width * out
        if deep:
            layers = {
                "conv1": conv(a, width, 1), "bn1": bn(width), "conv2": conv(width, width, 3, stride),
                "bn2": bn(width), "conv3": conv(width, b, 1), "bn3": bn(b),
            }  # fmt: skip
        else:
            layers = {"conv1": conv(a, b, 3, stride), "bn1": bn(b), "conv2": conv(b, b), "bn2": bn(b)}
        if stride > 1 or a != b:
            layers[shortcut] = nn.Sequential(conv(a, b, 1, stride), bn(b))

        def run(m: Any, x: Tensor) -> Tensor:
            y = m.bn2(m.conv2(relu(m.bn1(m.conv1(x)))))
            y = m.bn3(m.conv3(relu(y))) if deep else y
            return relu(y + (getattr(m, shortcut)(x) if hasattr(m, shortcut) else x))

        return Net(run, **layers)

    made = stages(block, blocks, w, stem or w, out)
    layers = {f"layer{i}": nn.Sequential(*row) for i, row in enumerate(made, start=1)}

    def run(m: Any, x: Tensor) -> Tensor:
        x = relu(m.bn1(m.conv1(x)))
        for name in layers:
            x = getattr(m, name)(x)
        return getattr(m, head)(mean(x))

    last = nn.Linear(w * 2 ** (len(blocks) - 1) * out, k)
    first = {"conv1": conv(3, stem or w), "bn1": bn(stem or w)}
    return classifier(Net(run, **first, **layers, **{head: last}), head)


def option_a(n: int = 3, w: int = 16, facebook: bool = False, k: int = 10) -> nn.Module:
    """Shortcuts without parameters: akamaster's, and D-X-Y/ResNeXt-DenseNet's (zeros behind)."""
    a, b = ("_a", "_b") if facebook else ("1", "2")

    def block(width_in: int, width: int, stride: int) -> nn.Module:
        def run(m: Any, x: Tensor) -> Tensor:
            y = getattr(m, f"bn{a}")(getattr(m, f"conv{a}")(x))
            y = getattr(m, f"bn{b}")(getattr(m, f"conv{b}")(relu(y)))
            if stride > 1:
                x = x[:, :, ::2, ::2]
                none = torch.zeros_like(x)
                half = none[:, : none.shape[1] // 2]
                x = torch.cat([x, none] if facebook else [half, x, half], 1)
            return relu(x + y)

        return Net(run, **{
            f"conv{a}": conv(width_in, width, 3, stride), f"bn{a}": bn(width),
            f"conv{b}": conv(width, width), f"bn{b}": bn(width),
        })  # fmt: skip

    stage, stem, norm, head = ("stage_", "conv_1_3x3", "bn_1", "classifier")
    if not facebook:
        stage, stem, norm, head = ("layer", "conv1", "bn1", "linear")
    rows = stages(block, (n, n, n), w, w)
    layers = {f"{stage}{i}": nn.Sequential(*row) for i, row in enumerate(rows, start=1)}

    def run(m: Any, x: Tensor) -> Tensor:
        x = relu(getattr(m, norm)(getattr(m, stem)(x)))
        for name in layers:
            x = getattr(m, name)(x)
        return getattr(m, head)(mean(x))

    ends = {stem: conv(3, w), norm: bn(w)}
    return classifier(Net(run, **ends, **layers, **{head: nn.Linear(4 * w, k)}), head)


def weiaicunzai_resnet(w: int = 8, deep: bool = False) -> nn.Module:
    out = 4 if deep else 1

    def block(a: int, width: int, stride: int) -> nn.Module:
        b = width * out
        body = (
            [conv(a, width, 1), bn(width), nn.ReLU(), conv(width, width, 3, stride), bn(width), nn.ReLU()]
            if deep
            else [conv(a, width, 3, stride), bn(width), nn.ReLU()]
        )
        body += [conv(width, b, 1 if deep else 3), bn(b)]
        side = [conv(a, b, 1, stride), bn(b)] if stride > 1 or a != b else []
        return Net(
            lambda m, x: relu(m.residual_function(x) + m.shortcut(x)),
            residual_function=nn.Sequential(*body),
            shortcut=nn.Sequential(*side),
        )

    rows = stages(block, (2, 2, 2, 2), w, w, out)
    layers = {f"conv{i}_x": nn.Sequential(*row) for i, row in enumerate(rows, start=2)}

    def run(m: Any, x: Tensor) -> Tensor:
        return m.fc(mean(m.conv5_x(m.conv4_x(m.conv3_x(m.conv2_x(m.conv1(x)))))))

    stem = nn.Sequential(conv(3, w), bn(w), nn.ReLU())
    return classifier(Net(run, conv1=stem, **layers, fc=nn.Linear(8 * w * out, 100)), "fc")


def hysts_resnet(w: int = 8) -> nn.Module:
    def block(a: int, b: int, stride: int) -> nn.Module:
        side = named(conv=conv(a, b, 1, stride), bn=bn(b)) if a != b else nn.Sequential()

        def run(m: Any, x: Tensor) -> Tensor:
            return relu(m.bn2(m.conv2(relu(m.bn1(m.conv1(x))))) + m.shortcut(x))

        layers = {"conv1": conv(a, b, 3, stride), "bn1": bn(b), "conv2": conv(b, b), "bn2": bn(b)}
        return Net(run, **layers, shortcut=side)

    rows = stages(block, (2, 2, 2), w, w)
    layers = {
        f"stage{i}": named(**{f"block{j}": one for j, one in enumerate(row, start=1)})
        for i, row in enumerate(rows, start=1)
    }

    def run(m: Any, x: Tensor) -> Tensor:
        return m.fc(mean(m.stage3(m.stage2(m.stage1(relu(m.bn(m.conv(x))))))))

    return classifier(Net(run, conv=conv(3, w), bn=bn(w), **layers, fc=nn.Linear(4 * w, 10)), "fc")


def preact(
    blocks: Sequence[int] = (2, 2, 2, 2),
    w: int = 8,
    *,
    stage: str = "layer{}",
    inner: str = "",
    shortcut: str = "shortcut",
    raw: bool = False,
    norm: str = "",
    head: str = "linear",
    stem: int = 0,
    late: bool = False,
) -> nn.Module:
    """kuangliu's, locuslab's (norm), bearpaw's (raw), xternalz' (inner), meliketoy's (late)."""

    def block(a: int, b: int, stride: int) -> nn.Module:
        first, second = (1, stride) if late else (stride, 1)
        layers = {
            "bn1": bn(a), "conv1": conv(a, b, 3, first, late),
            "bn2": bn(b), "conv2": conv(b, b, 3, second, late),
        }  # fmt: skip
        if stride > 1 or a != b:
            one = conv(a, b, 1, stride, late)
            layers[shortcut] = one if shortcut == "convShortcut" else nn.Sequential(one)

        def run(m: Any, x: Tensor) -> Tensor:
            y = relu(m.bn1(x))
            side = getattr(m, shortcut)(x if raw else y) if hasattr(m, shortcut) else x
            return m.conv2(relu(m.bn2(m.conv1(y)))) + side

        return Net(run, **layers)

    rows = [nn.Sequential(*row) for row in stages(block, blocks, w, stem or w)]
    layers = {stage.format(i): named(**{inner: row}) if inner else row for i, row in enumerate(rows, start=1)}
    d = w * 2 ** (len(blocks) - 1)

    def run(m: Any, x: Tensor) -> Tensor:
        x = m.conv1(x)
        for name in layers:
            x = getattr(m, name)(x)
        return getattr(m, head)(mean(relu(getattr(m, norm)(x)) if norm else x))

    ends = {norm: bn(d)} if norm else {}
    first = conv(3, stem or w, bias=late)
    return classifier(Net(run, conv1=first, **layers, **ends, **{head: nn.Linear(d, 10)}), head)


def wide(n: int = 1, width: int = 2, late: bool = False) -> nn.Module:
    """WRN-(6n+4)-width of xternalz, or of meliketoy."""
    if late:
        return preact((n, n, n), 16 * width, raw=True, norm="bn1", stem=16, late=True)
    return preact(
        (n, n, n), 16 * width, stage="block{}", inner="layer", shortcut="convShortcut", norm="bn1", head="fc",
        stem=16,
    )  # fmt: skip
