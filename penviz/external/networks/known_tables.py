"""Which networks of public repositories a file's keys and widths fit, and their tables by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from penviz.external.networks import cifar_families, cifar_mobile, cifar_resnets, tutorial_networks
from penviz.external.networks.layer_tables import Steps

Shapes = Mapping[str, tuple[int, ...]]

FAMILIES = (
    "vgg16_bn",
    *(f"densenet121{s.suffix}" for s in cifar_families.DENSE),
    *(f"mobilenetv2{s.suffix}" for s in cifar_mobile.MOBILE),
    *(f"shufflenetv2{s.suffix}" for s in cifar_mobile.SHUFFLE),
)
"""After "cifar:", of those that are built from the keys of a file alone."""


def fitting(shapes: Shapes) -> list[str]:
    """Names of the networks whose keys a file has, with their prefixes."""
    names = [f"cifar:{plan.name}" for plan in cifar_resnets.plans(shapes)]
    names += [f"cifar:{name}" for name, _ in _families(shapes, 1)]
    for name, (channels, _) in tutorial_networks.NAMES.items():
        stem = next((shape for shape in shapes.values() if len(shape) == 4), None)
        if stem is None or stem[1] == channels:
            keys = [s.key for s in tutorial_networks.table(name, 1, shapes) or () if hasattr(s, "key")]
            if keys and all(f"{key}.weight" in shapes for key in keys):
                names.append(f"tutorial:{name}")
    return list(dict.fromkeys(names))


def _families(shapes: Shapes, n_classes: int) -> Iterator[tuple[str, Steps]]:
    found = [cifar_families.vgg(shapes, n_classes)]
    found += [cifar_families.densenet(shapes, n_classes, s) for s in cifar_families.DENSE]
    found += [cifar_mobile.mobilenet(shapes, n_classes, s) for s in cifar_mobile.MOBILE]
    found += [cifar_mobile.shufflenet(shapes, n_classes, s) for s in cifar_mobile.SHUFFLE]
    return (one for one in found if one is not None)


def table(name: str, n_classes: int, shapes: Shapes) -> Steps | None:
    """The table of a name with its prefix, with the sizes of a file; None where there is none."""
    prefix, _, rest = name.partition(":")
    if prefix == "tutorial":
        return tutorial_networks.table(rest, n_classes, shapes)
    if plan := cifar_resnets.plan_of(rest, shapes):
        return cifar_resnets.steps(plan, n_classes)
    return dict(_families(shapes, n_classes)).get(rest)


def head_of(name: str, shapes: Shapes) -> str:
    """Key of the weight of the last layer of a network that a file fits; "" for others."""
    steps = table(name, 1, shapes) if name.startswith(("cifar:", "tutorial:")) else None
    keys = [step.key for step in steps or () if hasattr(step, "key")]
    return f"{keys[-1]}.weight" if keys else ""
