"""ResNets of public repositories in their spellings, as `style_networks`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from external.networks.style_networks import Net, bn, classifier, conv, mean, named, relu
from torch import Tensor, nn


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
