"""Networks on which `capture` is tried, with the batches that each is fed.

The list and the names in NO_HEAD were written before `capture` was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from foreign_networks import HEADS, WITHOUT, Body, Classifier, D, K, MapBody
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Kind:
    """A kind of network.

    Attributes:
        make: builds it, on ten classes where a library does and on K else.
        layer: dotted name of the layer whose input a plain hook would store; "" where the network has no
            single linear head.
        batches: makes the loader.
        reading: what becomes of that input: nothing, or "cosine", or the mean over positions.
    """

    make: Callable[[], nn.Module]
    layer: str
    batches: Callable[[], Sequence[Any]]
    reading: Callable[[Tensor], Tensor] = lambda h: h


def pairs(side: int = 8, n: int = 24, dtype: torch.dtype = torch.float32, classes: int = K) -> list[Any]:
    """Batches (images [b, 3, side, side], labels [b]) of 8, 8, ... examples."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(n, 3, side, side, generator=generator).to(dtype)
    y = torch.arange(n) % classes
    return list(zip(x.split(8), y.split(8), strict=True))


def image_dicts() -> list[Any]:
    """As a Hugging Face collator makes them, with an entry that no network takes."""
    return [{"pixel_values": x, "labels": y, "idx": y} for x, y in pairs(32)]


def text_dicts() -> list[Any]:
    ids = torch.randint(1, 50, (24, 12), generator=torch.Generator().manual_seed(5))
    mask = torch.ones_like(ids)
    mask[::2, 9:] = 0
    labels = torch.arange(24) % K
    names = ("input_ids", "attention_mask", "labels")
    return [
        dict(zip(names, part, strict=True))
        for part in zip(*(t.split(8) for t in (ids, mask, labels)), strict=True)
    ]


class Tied(nn.Module):
    """The head shares its weight with the embedding of the classes."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.classes, self.fc = Body(), nn.Embedding(K, D), nn.Linear(D, K, bias=False)
        self.fc.weight = self.classes.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.body(x) + 0 * self.classes.weight.sum())


class Twice(nn.Module):
    """The head is called on an earlier layer too, for an auxiliary loss."""

    def __init__(self, summed: bool) -> None:
        super().__init__()
        self.body, self.later, self.fc, self.summed = Body(), nn.Linear(D, D), nn.Linear(D, K), summed

    def forward(self, x: Tensor) -> Any:
        h = self.body(x)
        early, late = self.fc(h), self.fc(F.relu(self.later(h)))
        return early + late if self.summed else (late, early)


class InPlace(nn.Module):
    """An in-place ReLU stands between the stored tensor and the head, and another after it."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.mix = Body(), nn.Linear(D, D)
        self.relu, self.fc = nn.ReLU(inplace=True), nn.Linear(D, K)

    def forward(self, x: Tensor) -> Tensor:
        h = self.mix(self.body(x))
        out = self.fc(self.relu(h))
        h.neg_()
        return out


class Functional(nn.Module):
    """The head is a parameter and a call of F.linear: no layer has it."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.weight = Body(), nn.Parameter(torch.randn(K, D))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(self.body(x), self.weight)


class Recurrent(nn.Module):
    """An LSTM over the rows of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.fc = nn.LSTM(24, D, batch_first=True), nn.Linear(D, K)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.lstm(x.permute(0, 2, 1, 3).flatten(2))[0][:, -1])


def compiled_in_place() -> nn.Module:
    network = Classifier(nn.Linear(D, K))
    network.compile(backend="eager")
    return network


def torchvision(name: str) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        from torchvision import models

        return models.get_model(name, num_classes=10)

    return make


def timm(name: str) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        return pytest.importorskip("timm").create_model(name, num_classes=10)

    return make


def hugging_face_vit() -> nn.Module:
    pytest.importorskip("transformers")
    from transformers import ViTConfig, ViTForImageClassification

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    return ViTForImageClassification(ViTConfig(image_size=32, patch_size=8, num_labels=K, **sizes))


def hugging_face_bert() -> nn.Module:
    pytest.importorskip("transformers")
    from transformers import BertConfig, BertForSequenceClassification

    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
    return BertForSequenceClassification(BertConfig(vocab_size=50, num_labels=K, **sizes))


def _of_head(name: str, layer: str = "fc", **more: Any) -> Kind:
    return Kind(HEADS[name][0], layer, pairs, **more)


def _wide(n: int = 16) -> Callable[[], Sequence[Any]]:
    return lambda: pairs(64, n, classes=10)


KINDS: dict[str, Kind] = {
    "plain": _of_head("linear"),
    "dropout before the head": Kind(
        lambda: Classifier(nn.Sequential(nn.Dropout(0.5), nn.Linear(D, K))), "fc.1", pairs
    ),
    "MLP head": Kind(
        lambda: Classifier(nn.Sequential(nn.Linear(D, 20), nn.GELU(), nn.Linear(20, K))), "fc.2", pairs
    ),
    "tied": Kind(Tied, "fc", pairs),
    "head used twice, the last counts": Kind(lambda: Twice(summed=False), "fc", pairs),
    "head used twice and summed": Kind(lambda: Twice(summed=True), "", pairs),
    "cosine": _of_head("cosine", reading=lambda h: F.normalize(h, dim=1)),
    "two averaged heads": Kind(WITHOUT["two heads"], "", pairs),
    "no bias": _of_head("no bias"),
    "weight norm": _of_head("weight norm"),
    "in-place ReLU before the head": Kind(InPlace, "fc", pairs),
    "1x1 convolution and a view": _of_head("1x1 convolution", reading=lambda h: h.mean((2, 3))),
    "tokens, averaged after the head": _of_head("tokens", reading=lambda h: h.mean(1)),
    "convolution before the pool": _of_head("convolution before the pool", reading=lambda h: h.mean((2, 3))),
    "flattened map": Kind(
        lambda: Classifier(nn.Sequential(nn.Flatten(), nn.Linear(D * 64, K)), body=MapBody()), "fc.1", pairs
    ),
    "temperature": _of_head("temperature"),
    "probabilities": _of_head("probabilities"),
    "log-probabilities": _of_head("log-probabilities"),
    "tuple": _of_head("tuple"),
    "dictionary": _of_head("dictionary"),
    "functional head": Kind(Functional, "", pairs),
    "recurrent": Kind(Recurrent, "fc", pairs),
    "DataParallel": Kind(lambda: nn.DataParallel(Classifier(nn.Linear(D, K))), "module.fc", pairs),
    "compiled": Kind(
        lambda: torch.compile(Classifier(nn.Linear(D, K)), backend="eager"),  # type: ignore[arg-type, return-value]
        "_orig_mod.fc",
        pairs,
    ),
    "compiled in place": Kind(compiled_in_place, "fc", pairs),
    "bfloat16": Kind(
        lambda: Classifier(nn.Linear(D, K)).bfloat16(), "fc", lambda: pairs(dtype=torch.bfloat16)
    ),
    "float64": Kind(lambda: Classifier(nn.Linear(D, K)).double(), "fc", lambda: pairs(dtype=torch.float64)),
    "torchvision:resnet18": Kind(torchvision("resnet18"), "fc", _wide()),
    "torchvision:mobilenet_v3_small": Kind(torchvision("mobilenet_v3_small"), "classifier.3", _wide()),
    "torchvision:squeezenet1_1": Kind(torchvision("squeezenet1_1"), "", _wide()),
    "timm:resnet10t": Kind(timm("resnet10t"), "fc", _wide()),
    "timm:repvit_m0_9": Kind(timm("repvit_m0_9"), "", _wide()),
    "Hugging Face ViT, dict batches": Kind(hugging_face_vit, "classifier", image_dicts),
    "Hugging Face BERT, dict batches": Kind(hugging_face_bert, "classifier", text_dicts),
}

NO_HEAD = (
    "head used twice and summed",
    "two averaged heads",
    "functional head",
    "torchvision:squeezenet1_1",
    "timm:repvit_m0_9",
)
"""Kinds whose logits are no W h + b of what enters one layer."""
