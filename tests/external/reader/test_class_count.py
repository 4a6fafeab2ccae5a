"""The number of classes told by keys and shapes, against networks built with that number."""

from __future__ import annotations

import pytest
import torch
import torchvision

from penviz.external.reader.class_count import count_classes
from penviz.external.reader.report import TensorEntry
from penviz.training import models

FAMILIES = (
    *(
        "alexnet",
        "convnext_tiny",
        "densenet121",
        "efficientnet_b0",
        "maxvit_t",
        "mnasnet0_5",
        "mobilenet_v3_small",
    ),
    *("resnet18", "shufflenet_v2_x0_5", "squeezenet1_1", "swin_t", "vgg11", "vit_b_16", "inception_v3"),
)


def entries(shapes: dict[str, tuple[int, ...]]) -> list[TensorEntry]:
    return [TensorEntry(key, shape, "float32", 0, key) for key, shape in shapes.items()]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.filterwarnings("ignore")
def test_torchvision(name: str) -> None:
    with torch.device("meta"):
        network = torchvision.models.get_model(name, num_classes=7, weights=None)
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert count_classes(entries(shapes))[0] == 7
    assert count_classes(entries(dict(sorted(shapes.items()))))[0] == 7  # as safetensors orders them


def test_our_own_networks() -> None:
    for name in models.MODELS:
        network = models.build(name, (3, 32, 32), 7)
        shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
        assert count_classes(entries(shapes))[0] == 7, name


def test_what_is_not_clear_stays_open() -> None:
    assert count_classes([]) == (None, "")
    assert (
        count_classes(entries({"a.weight": (4, 3), "a.bias": (4,), "b.weight": (5, 7), "b.bias": (5,)}))[0]
        is None
    )
    in_a_row = {"a.weight": (4, 3), "a.bias": (4,), "b.weight": (5, 4), "b.bias": (5,)}
    assert count_classes(entries(in_a_row)) == (5, "b.weight [5, 4], the last of 2 linear layers in a row")
    in_a_row["a.norm"] = (4, 4)  # another matrix: who feeds whom is not clear any more
    assert count_classes(entries(in_a_row))[0] is None
    two = {"fc.weight": (4, 3), "fc.bias": (4,), "head.weight": (5, 3), "head.bias": (5,)}
    assert count_classes(entries(two))[0] is None
    assert count_classes(entries({"fc.weight": (4, 3), "fc.bias": (3,)}))[0] is None
    assert count_classes(entries({"blocks.0.mlp.fc2.weight": (4, 3), "q.weight": (3, 3)}))[0] is None


def test_the_evidence_names_the_layer() -> None:
    shapes = {"classifier.1.weight": (4, 3), "classifier.1.bias": (4,), "classifier.10.weight": (5, 4)}
    assert count_classes(entries(shapes)) == (5, "classifier.10.weight [5, 4], without a bias")
    assert count_classes(entries({"weight": (6, 4), "bias": (6,)})) == (
        6,
        "weight [6, 4], the only linear layer",
    )
    assert count_classes(entries({"classifier.1.weight": (8, 512, 1, 1), "classifier.1.bias": (8,)}))[0] == 8
