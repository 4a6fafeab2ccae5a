"""torchvision's classifiers as networks to train, and where their pretrained weights go.

`torchvision:NAME` is the classifier as torchvision has it, with a new last layer for K classes.
`torchvision:NAME-fastai` (ResNets) has the head of fastai v1 on the same body. Both are fed pixels
normalised by ImageNet's mean and std.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor, nn

from penviz.did_you_mean import did_you_mean
from penviz.store.run_config import RunError
from penviz.training import images
from penviz.training.network import Architecture, Network

PREFIX = "torchvision:"
FASTAI = "-fastai"
FASTAI_WIDTH = 512

ALIASES = {"resnet34": f"{PREFIX}resnet34"}
"""Short names of torchvision's networks; penviz has none of its own that are called so."""

LEAST_SIDE = 32
"""Pixels below which the five halvings of most of these networks leave nothing."""

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class ConcatPool(nn.Module):
    """Largest and mean value over the image: [n, channels, h, w] -> [n, 2 * channels]."""

    def forward(self, x: Tensor) -> Tensor:
        """[n, channels, h, w] -> [n, 2 * channels], the largest first."""
        return torch.cat([x.amax((2, 3)), x.mean((2, 3))], 1)


def plain_name(model: str) -> str:
    """The name that torchvision knows a network of this module by."""
    return model.removeprefix(PREFIX).removesuffix(FASTAI)


def architecture(model: str) -> Architecture:
    """How `torchvision:NAME` or `torchvision:NAME-fastai` is built.

    Raises:
        RunError: torchvision has no such classifier, or it has no single linear layer at its end.
    """
    from torchvision import models as zoo

    name, with_fastai = plain_name(model), model.endswith(FASTAI)
    if name not in zoo.list_models(module=zoo):
        meant = did_you_mean(name, zoo.list_models(module=zoo))
        raise RunError(f"torchvision has no classification network {name}{meant}.")
    if with_fastai and not name.startswith(("resnet", "resnext", "wide_resnet")):
        raise RunError(f"The head of fastai is there for ResNets only, not for {name}.")
    head, body_width = _head_of(name)
    about = f"torchvision's {name}" + (", under the head of fastai v1" if with_fastai else "")

    def build(shape: tuple[int, int, int], n_classes: int) -> Network:
        if shape[0] != 3:
            raise RunError(f"{model} needs colour images.")
        whole = zoo.get_model(name, weights=None)
        if with_fastai:
            return _with_fastai_head(whole, body_width, n_classes)
        parent, _, last = head.rpartition(".")
        setattr(whole.get_submodule(parent), last, nn.Identity())
        return Network(whole, nn.Linear(body_width, n_classes), scaling=images.normalise)

    width = FASTAI_WIDTH if with_fastai else body_width
    return Architecture(build, about, width, least_side=LEAST_SIDE, recipe={"crop": 224, "flip": True})


def _with_fastai_head(whole: nn.Module, width: int, n_classes: int) -> Network:
    """fastai v1's `create_head` with its defaults, after pooling by largest and mean value.

    Batch norm, dropout 0.25, linear 512, ReLU, batch norm, dropout 0.5, linear K; Kaiming's normal initial
    weights and biases of zero (fastai v1, vision/learner.py and layers.py).
    """
    kept = [(key, child) for key, child in whole.named_children() if key not in ("avgpool", "fc")]
    body = nn.Sequential(OrderedDict(kept))  # torchvision's own keys
    hidden, head = nn.Linear(2 * width, FASTAI_WIDTH), nn.Linear(FASTAI_WIDTH, n_classes)
    for layer in (hidden, head):
        nn.init.kaiming_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
    top = nn.Sequential(
        ConcatPool(),
        nn.BatchNorm1d(2 * width),
        nn.Dropout(0.25),
        hidden,
        nn.ReLU(),
        nn.BatchNorm1d(FASTAI_WIDTH),
        nn.Dropout(0.5),
    )
    return Network(nn.Sequential(body, top), head, scaling=images.normalise, body=body)


@lru_cache(maxsize=32)
def _head_of(name: str) -> tuple[str, int]:
    """Key and width d of the last layer: a linear one for all classes, defined last, no other like it."""
    from torchvision import models as zoo

    try:
        with torch.device("meta"):
            network = zoo.get_model(name, weights=None)
    except (RuntimeError, NotImplementedError):  # RegNets compute with small tensors while they are built
        network = zoo.get_model(name, weights=None)
    leaves = [(key, m) for key, m in network.named_modules() if not list(m.children())]
    linear = [(key, m) for key, m in leaves if isinstance(m, nn.Linear) and m.out_features == 1000]
    if len(linear) != 1 or leaves[-1] != linear[0]:
        raise RunError(f"{name} has no single linear layer at its end, so penviz does not train it.")
    return linear[0][0], linear[0][1].in_features


def load_body(network: Network, weights: Mapping[str, Tensor], name: str) -> None:
    """Put a classifier's weights, all but those of its last layer, into a network's body.

    Args:
        network: built by an architecture of this module.
        weights: state dict under torchvision's keys; its last layer may have any number of classes.
        name: of the weights, for people.

    Raises:
        RunError: keys or shapes differ.
    """
    own = network.body.state_dict()
    own = {k: t for k, t in own.items() if k in weights or not k.endswith("num_batches_tracked")}
    lacking = [k for k in own if k not in weights]
    odd = [k for k in own if k in weights and own[k].shape != weights[k].shape]
    extra = sorted({k.rpartition(".")[0] for k in weights.keys() - own.keys()})
    if lacking or odd or len(extra) > 1:
        key = (lacking or odd or extra)[0]
        raise RunError(
            f"{name} does not fit the network: {len(own) - len(lacking) - len(odd)} of {len(own)} "
            f"keys and shapes match, and {key} does not."
        )
    network.body.load_state_dict({k: weights[k] for k in own}, strict=False)


def freeze_body(network: Network) -> None:
    """Keep the body's weights as they are, but for those of its batch norms, as fastai v1's freeze does.

    Batch norms also go on counting their running statistics there.
    """
    for module in network.body.modules():
        if not isinstance(module, NORMS):
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)
