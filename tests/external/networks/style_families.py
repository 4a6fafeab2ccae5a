"""VGG, DenseNet, MobileNetV2 and ShuffleNetV2 of public repositories, as `style_networks`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from external.networks.style_networks import Net, bn, classifier, conv, mean, named, relu
from torch import Tensor, nn
from torch.nn import functional as F

VGG = {
    11: ((1,), (1,), (2,), (2,), (2,)),
    16: ((2,), (2,), (3,), (3,), (3,)),
}


def vgg(
    depth: int = 11, w: int = 4, head: Sequence[int] = (), *, norm: bool = True, k: int = 10
) -> nn.Module:
    """kuangliu's (one linear layer), weiaicunzai's and chenyaofo's (three; `head` are their widths)."""
    layers: list[nn.Module] = []
    a = 3
    for (n,), b in zip(VGG[depth], (w, 2 * w, 4 * w, 8 * w, 8 * w), strict=True):
        for _ in range(n):
            layers += [conv(a, b, bias=True), *([bn(b)] if norm else []), nn.ReLU()]
            a = b
        layers.append(nn.MaxPool2d(2))
    if not head:
        run = Net(lambda m, x: m.classifier(m.features(x).flatten(1)), features=nn.Sequential(*layers))
        run.classifier = nn.Linear(a, k)
        return classifier(run, "classifier")
    b, c = head
    dense = nn.Sequential(
        nn.Linear(a, b), nn.ReLU(), nn.Dropout(), nn.Linear(b, c), nn.ReLU(), nn.Dropout(), nn.Linear(c, k)
    )
    run = Net(
        lambda m, x: m.classifier(m.features(x).flatten(1)), features=nn.Sequential(*layers), classifier=dense
    )
    return classifier(run, "classifier.6")


def densenet(blocks: Sequence[int] = (2, 3, 2, 2), growth: int = 4, *, bearpaw: bool = False) -> nn.Module:
    """kuangliu's, which puts the new channels in front, or bearpaw's, which puts them behind."""
    norm, one, head = ("bn1", "conv1", "fc") if bearpaw else ("bn", "conv", "linear")

    def layer(a: int) -> nn.Module:
        def run(m: Any, x: Tensor) -> Tensor:
            y = m.conv2(relu(m.bn2(m.conv1(relu(m.bn1(x))))))
            return torch.cat([x, y] if bearpaw else [y, x], 1)

        return Net(
            run, bn1=bn(a), conv1=conv(a, 4 * growth, 1), bn2=bn(4 * growth), conv2=conv(4 * growth, growth)
        )

    layers: dict[str, nn.Module] = {}
    a = 2 * growth
    for i, n in enumerate(blocks, start=1):
        layers[f"dense{i}"] = nn.Sequential(*(layer(a + j * growth) for j in range(n)))
        a += n * growth
        if i < len(blocks):
            layers[f"trans{i}"] = Net(
                lambda m, x: F.avg_pool2d(getattr(m, one)(relu(getattr(m, norm)(x))), 2),
                **{norm: bn(a), one: conv(a, a // 2, 1)},
            )
            a //= 2

    def run(m: Any, x: Tensor) -> Tensor:
        x = m.conv1(x)
        for name in layers:
            x = getattr(m, name)(x)
        return getattr(m, head)(mean(relu(m.bn(x))))

    return classifier(
        Net(run, conv1=conv(3, 2 * growth), **layers, bn=bn(a), **{head: nn.Linear(a, 10)}), head
    )


def weiaicunzai_densenet(blocks: Sequence[int] = (2, 3, 2, 2), growth: int = 4) -> nn.Module:
    """Its transitions have no ReLU."""
    features: dict[str, nn.Module] = {}
    a = 2 * growth
    for i, n in enumerate(blocks):
        rows: dict[str, nn.Module] = {}
        for j in range(n):
            body = nn.Sequential(
                bn(a), nn.ReLU(), conv(a, 4 * growth, 1), bn(4 * growth), nn.ReLU(), conv(4 * growth, growth)
            )
            rows[f"bottle_neck_layer_{j}"] = Net(
                lambda m, x: torch.cat([x, m.bottle_neck(x)], 1), bottle_neck=body
            )
            a += growth
        last = i == len(blocks) - 1
        features[f"dense_block{i}" if last else f"dense_block_layer_{i}"] = named(**rows)
        if not last:
            down = nn.Sequential(bn(a), conv(a, a // 2, 1), nn.AvgPool2d(2))
            features[f"transition_layer_{i}"] = Net(lambda m, x: m.down_sample(x), down_sample=down)
            a //= 2
    body = named(**features, bn=bn(a), relu=nn.ReLU())
    run = Net(lambda m, x: m.linear(mean(m.features(m.conv1(x)))), conv1=conv(3, 2 * growth), features=body)
    run.linear = nn.Linear(a, 100)
    return classifier(run, "linear")


def cifar_densenet121(growth: int = 4, blocks: Sequence[int] = (2, 2, 2, 2)) -> nn.Module:
    """huyvnphan's: torchvision's with a stem of 3 x 3 and stride 1; the max-pool stays."""
    from torchvision.models.densenet import DenseNet

    network = DenseNet(growth, tuple(blocks), 2 * growth, num_classes=10)
    network.features.conv0 = conv(3, 2 * growth)
    return classifier(network, "classifier")


MOBILE = ((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1))
"""Expansion, width and blocks of the stages (Sandler et al. 2018, table 2)."""


def kuangliu_mobilenetv2(part: int = 8) -> nn.Module:
    def block(a: int, b: int, t: int, stride: int) -> nn.Module:
        c = t * a
        side = nn.Sequential(conv(a, b, 1), bn(b)) if stride == 1 and a != b else nn.Sequential()

        def run(m: Any, x: Tensor) -> Tensor:
            y = m.bn3(m.conv3(relu(m.bn2(m.conv2(relu(m.bn1(m.conv1(x))))))))
            return y + m.shortcut(x) if stride == 1 else y

        depthwise = conv(c, c, 3, stride, groups=c)
        layers = {"conv1": conv(a, c, 1), "bn1": bn(c), "conv2": depthwise, "bn2": bn(c)}
        return Net(run, **layers, conv3=conv(c, b, 1), bn3=bn(b), shortcut=side)

    rows, a = [], 32 // part
    for (t, b, n), stride in zip(MOBILE, (1, 1, 2, 2, 1, 2, 1), strict=True):
        for i in range(n):
            rows.append(block(a, b // part, t, 1 if i else stride))
            a = b // part
    ends = {"conv1": conv(3, 32 // part), "bn1": bn(32 // part), "conv2": conv(a, 1280 // part, 1)}
    ends["bn2"] = bn(1280 // part)

    def run(m: Any, x: Tensor) -> Tensor:
        return m.linear(mean(relu(m.bn2(m.conv2(m.layers(relu(m.bn1(m.conv1(x)))))))))

    return classifier(
        Net(run, **ends, layers=nn.Sequential(*rows), linear=nn.Linear(1280 // part, 10)), "linear"
    )


def sequential_mobilenetv2(part: int = 8, distiller: bool = False) -> nn.Module:
    """weiaicunzai's (biases, ReLU6, a 1 x 1 stem that is padded) and RepDistiller's (neither)."""
    act, bias = (nn.ReLU, False) if distiller else (nn.ReLU6, True)
    strides = (1, 1, 2, 2, 1, 2, 1) if distiller else (1, 2, 2, 2, 1, 1, 1)
    name = "conv" if distiller else "residual"

    def block(a: int, b: int, t: int, stride: int) -> nn.Module:
        c = t * a
        body = nn.Sequential(
            conv(a, c, 1, bias=bias), bn(c), act(), conv(c, c, 3, stride, bias, groups=c), bn(c), act(),
            conv(c, b, 1, bias=bias), bn(b),
        )  # fmt: skip
        same = stride == 1 and a == b
        return Net(lambda m, x: getattr(m, name)(x) + (x if same else 0), **{name: body})

    rows, a = [], 32 // part
    for (t, b, n), stride in zip(MOBILE, strides, strict=True):
        row = []
        for i in range(n):
            row.append(block(a, b // part, t, 1 if i else stride))
            a = b // part
        rows.append(row)
    d = 1280 // part
    last = nn.Sequential(conv(a, d, 1, bias=bias), bn(d), act())
    if distiller:
        stem = nn.Sequential(conv(3, 32 // part, 3, 2), bn(32 // part), act())
        blocks = nn.Sequential(*(nn.Sequential(*row) for row in rows))
        run = Net(lambda m, x: m.classifier(mean(m.conv2(m.blocks(m.conv1(x))))), conv1=stem, blocks=blocks)
        run.conv2, run.classifier = last, nn.Sequential(nn.Linear(d, 100))
        return classifier(run, "classifier.0")
    stem = nn.Sequential(conv(3, 32 // part, 1, padding=1, bias=True), bn(32 // part), act())
    layers = {
        f"stage{i}": nn.Sequential(*row) if len(row) > 1 else row[0] for i, row in enumerate(rows, start=1)
    }

    def run_stages(m: Any, x: Tensor) -> Tensor:
        x = m.pre(x)
        for name in layers:
            x = getattr(m, name)(x)
        return m.conv2(F.adaptive_avg_pool2d(m.conv1(x), 1)).flatten(1)

    made = Net(run_stages, pre=stem, **layers, conv1=last, conv2=conv(d, 100, 1, bias=True))
    return classifier(made, "conv2")


def shuffled(x: Tensor) -> Tensor:
    return x.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)


def kuangliu_shufflenetv2(
    widths: Sequence[int] = (8, 16, 24, 32), blocks: Sequence[int] = (3, 7, 3)
) -> nn.Module:
    def plain(a: int) -> nn.Module:
        h = a // 2

        def run(m: Any, x: Tensor) -> Tensor:
            y = m.bn2(m.conv2(relu(m.bn1(m.conv1(x[:, h:])))))
            return shuffled(torch.cat([x[:, :h], relu(m.bn3(m.conv3(y)))], 1))

        layers = {"conv1": conv(h, h, 1), "bn1": bn(h), "conv2": conv(h, h, groups=h), "bn2": bn(h)}
        return Net(run, **layers, conv3=conv(h, h, 1), bn3=bn(h))

    def down(a: int, b: int) -> nn.Module:
        h = b // 2

        def run(m: Any, x: Tensor) -> Tensor:
            left = relu(m.bn2(m.conv2(m.bn1(m.conv1(x)))))
            right = relu(m.bn5(m.conv5(m.bn4(m.conv4(relu(m.bn3(m.conv3(x))))))))
            return shuffled(torch.cat([left, right], 1))

        convs = (
            conv(a, a, 3, 2, groups=a), conv(a, h, 1), conv(a, h, 1), conv(h, h, 3, 2, groups=h),
            conv(h, h, 1),
        )  # fmt: skip
        layers = {f"conv{i}": layer for i, layer in enumerate(convs, start=1)}
        return Net(run, **layers, **{f"bn{i}": bn(c.out_channels) for i, c in enumerate(convs, start=1)})

    a, layers = 24, {}
    for i, (b, n) in enumerate(zip(widths, blocks, strict=False), start=1):
        layers[f"layer{i}"] = nn.Sequential(down(a, b), *(plain(b) for _ in range(n)))
        a = b
    d = widths[3]

    def run(m: Any, x: Tensor) -> Tensor:
        x = m.layer3(m.layer2(m.layer1(relu(m.bn1(m.conv1(x))))))
        return m.linear(mean(relu(m.bn2(m.conv2(x)))))

    ends = {"conv1": conv(3, 24), "bn1": bn(24), "conv2": conv(a, d, 1), "bn2": bn(d)}
    return classifier(Net(run, **ends, **layers, linear=nn.Linear(d, 10)), "linear")


def weiaicunzai_shufflenetv2(widths: Sequence[int] = (8, 16, 24, 32)) -> nn.Module:
    """Biases everywhere, no ReLU behind the stem."""

    def unit(a: int, b: int) -> nn.Module:
        same = a == b
        c, h = (a // 2, a // 2) if same else (a, b // 2)
        stride = 1 if same else 2
        body = nn.Sequential(
            conv(c, c, 1, bias=True), bn(c), nn.ReLU(), conv(c, c, 3, stride, True, groups=c), bn(c),
            conv(c, h, 1, bias=True), bn(h), nn.ReLU(),
        )  # fmt: skip
        side = [conv(a, a, 3, 2, True, groups=a), bn(a), conv(a, h, 1, bias=True), bn(h), nn.ReLU()]

        def run(m: Any, x: Tensor) -> Tensor:
            left, right = x.chunk(2, 1) if same else (x, x)
            return shuffled(torch.cat([m.shortcut(left), m.residual(right)], 1))

        return Net(run, residual=body, shortcut=nn.Sequential(*([] if same else side)))

    a, layers = 24, {}
    for i, (b, n) in enumerate(zip(widths, (3, 7, 3), strict=False), start=2):
        layers[f"stage{i}"] = nn.Sequential(unit(a, b), *(unit(b, b) for _ in range(n)))
        a = b
    d = widths[3]
    ends = {
        "pre": nn.Sequential(conv(3, 24, bias=True), bn(24)),
        "conv5": nn.Sequential(conv(a, d, 1, bias=True), bn(d), nn.ReLU()),
        "fc": nn.Linear(d, 100),
    }

    def run(m: Any, x: Tensor) -> Tensor:
        return m.fc(mean(m.conv5(m.stage4(m.stage3(m.stage2(m.pre(x)))))))

    return classifier(Net(run, **ends, **layers), "fc")
