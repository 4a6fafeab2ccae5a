"""Small networks of tutorials and courses, exactly: their keys and every size but the number of classes."""

from __future__ import annotations

from collections.abc import Mapping

from penviz.external.networks.layer_tables import Conv, Dense, Norm, Steps, Sum

NAMES = {
    "cifar": (3, 32),
    "lenet5": (1, 28),
    "lenet5-c1": (1, 32),
    "mnist": (1, 28),
    "mnist-2017": (1, 28),
    "mnist-2018": (1, 28),
    "trades-mnist": (1, 28),
    "quickstart": (1, 28),
    "resnet9": (3, 32),
}
"""After "tutorial:": channels and side of its images."""


def table(name: str, n_classes: int, shapes: Mapping[str, tuple[int, ...]]) -> Steps | None:
    """The table of a network, None for an unknown name. The widths of resnet9 are those of the file.

    cifar: pytorch.org, Training a Classifier. mnist, mnist-2017, mnist-2018: pytorch/examples, of today, with
    10, 20 and 50 units, and with 20, 50 and 500. lenet5: the same as cifar for one channel, 28 pixels padded
    to 32, as most courses build LeNet-5 (LeCun et al. 1998). lenet5-c1: its layers by the paper's names.
    trades-mnist: Zhang et al. 2019. quickstart: pytorch.org, Quickstart. resnet9: the Jovian course.
    """
    k = n_classes
    lenet: Steps = ("relu", "max", Conv("conv2", 6, 16, 5, bias=True, padding=0), "relu", "max", "flat")
    dense: Steps = (Dense("fc1", 400, 120), "relu", Dense("fc2", 120, 84), "relu", Dense("fc3", 84, k))
    tables: dict[str, Steps] = {
        "cifar": (Conv("conv1", 3, 6, 5, bias=True, padding=0), *lenet, *dense),
        "lenet5": ("to 32", Conv("conv1", 1, 6, 5, bias=True, padding=0), *lenet, *dense),
        "lenet5-c1": (
            "to 32", Conv("convnet.c1", 1, 6, 5, bias=True, padding=0), "relu", "max",
            Conv("convnet.c3", 6, 16, 5, bias=True, padding=0), "relu", "max",
            Conv("convnet.c5", 16, 120, 5, bias=True, padding=0), "relu", "flat",
            Dense("fc.f6", 120, 84), "relu", Dense("fc.f7", 84, k),
        ),
        "mnist": (
            Conv("conv1", 1, 32, bias=True, padding=0), "relu", Conv("conv2", 32, 64, bias=True, padding=0),
            "relu", "max", "flat", Dense("fc1", 9216, 128), "relu", Dense("fc2", 128, k),
        ),
        "mnist-2017": _pooled(10, 20, 50, k),
        "mnist-2018": _pooled(20, 50, 500, k),
        "trades-mnist": (
            Conv("feature_extractor.conv1", 1, 32, bias=True, padding=0), "relu",
            Conv("feature_extractor.conv2", 32, 32, bias=True, padding=0), "relu", "max",
            Conv("feature_extractor.conv3", 32, 64, bias=True, padding=0), "relu",
            Conv("feature_extractor.conv4", 64, 64, bias=True, padding=0), "relu", "max", "flat",
            Dense("classifier.fc1", 1024, 200), "relu", Dense("classifier.fc2", 200, 200), "relu",
            Dense("classifier.fc3", 200, k),
        ),
        "quickstart": (
            "flat", Dense("linear_relu_stack.0", 784, 512), "relu", Dense("linear_relu_stack.2", 512, 512),
            "relu", Dense("linear_relu_stack.4", 512, k),
        ),
        "resnet9": _resnet9(shapes, k),
    }  # fmt: skip
    return tables.get(name)


def _pooled(a: int, b: int, c: int, k: int) -> Steps:
    return (
        Conv("conv1", 1, a, 5, bias=True, padding=0), "max", "relu",
        Conv("conv2", a, b, 5, bias=True, padding=0), "max", "relu",
        "flat", Dense("fc1", 16 * b, c), "relu", Dense("fc2", c, k),
    )  # fmt: skip


def _resnet9(shapes: Mapping[str, tuple[int, ...]], k: int) -> Steps:
    w = shapes.get("conv1.0.weight", (64,))[0]

    def block(key: str, a: int, b: int, *pool: str) -> Steps:
        return (Conv(f"{key}.0", a, b, bias=True), Norm(f"{key}.1", b), "relu", *pool)

    def residual(key: str, a: int) -> Steps:
        return (Sum((*block(f"{key}.0", a, a), *block(f"{key}.1", a, a))),)

    head = "classifier.3" if "classifier.3.weight" in shapes else "classifier.2"
    return (
        *block("conv1", 3, w), *block("conv2", w, 2 * w, "max"), *residual("res1", 2 * w),
        *block("conv3", 2 * w, 4 * w, "max"), *block("conv4", 4 * w, 8 * w, "max"), *residual("res2", 8 * w),
        "max 4", "flat", Dense(head, 8 * w, k),
    )  # fmt: skip
