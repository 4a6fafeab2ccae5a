# ruff: noqa: E501
"""Sixty styles of public checkpoints: key names, wrappers and forms of the file, with random narrow weights.

Listed before the code that recognises them. Each says where it is usual and what must become of it:

* "recognised": the network is found without a word, with its number of classes, its body and its head;
* "--model": the file is read and the user is asked to name the network, with what to write;
* "refused": with lines or words that help.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from external.networks import style_families as families
from external.networks import style_networks as nets
from external.networks import style_resnets as resnets
from safetensors.torch import save_file
from torch import Tensor, nn

State = dict[str, Tensor]
Save = Callable[[Path, State, nn.Module], None]


@dataclass(frozen=True)
class Style:
    """One way in which somebody saved a network.

    Attributes:
        label: unique; source: where it is usual; network: builds it; save: writes it.
        outcome: see the module.
        n_classes: K.
    """

    label: str
    source: str
    network: Callable[[], nn.Module]
    save: Save
    outcome: str = "recognised"
    n_classes: int = 10


def saved(
    wrapper: str = "",
    prefix: str = "",
    *,
    old: bool = False,
    half: bool = False,
    beside: Mapping[str, Any] | None = None,
    rename: Callable[[str], str] = lambda key: key,
    extra: Callable[[State], State] = lambda state: {},
) -> Save:
    """torch.save of a state dict, in a wrapper, under a prefix, in the form of before torch 1.6."""

    def save(path: Path, state: State, network: nn.Module) -> None:
        if half:
            state = network.half().state_dict()
        named: Any = {prefix + rename(key): value for key, value in state.items()}
        named |= extra(state)
        content = {wrapper: named, **(beside or {})} if wrapper else named
        torch.save(content, path, _use_new_zipfile_serialization=not old)
        network.float()

    return save


def as_safetensors(path: Path, state: State, network: nn.Module) -> None:
    save_file(state, path)


def whole(path: Path, state: State, network: nn.Module) -> None:
    torch.save({"net": nn.Linear(2, 2), "acc": 91.0}, path, _use_new_zipfile_serialization=False)


def script(path: Path, state: State, network: nn.Module) -> None:
    torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(12, 3))).save(path)


def written(content: bytes) -> Save:
    return lambda path, state, network: path.write_bytes(content) and None


def pickled(path: Path, state: State, network: nn.Module) -> None:
    path.write_bytes(pickle.dumps({key: value.numpy() for key, value in state.items()}))


def optimizer(path: Path, state: State, network: nn.Module) -> None:
    adam = torch.optim.Adam(network.parameters())
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    adam.step()
    torch.save(adam.state_dict(), path)


def torchvision(name: str, k: int, head: str) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        from torchvision import models as zoo

        return nets.classifier(zoo.get_model(name, weights=None, num_classes=k), head, (3, 64, 64))

    return build


def timm(name: str, k: int, head: str, side: int = 64) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        import timm as library

        return nets.classifier(library.create_model(name, num_classes=k), head, (3, side, side))

    return build


def lukemelas(key: str) -> str:
    """timm's names of an EfficientNet as lukemelas/EfficientNet-PyTorch has them; blocks count through."""
    key = (
        key.replace("classifier.", "_fc.")
        .replace("conv_stem.", "_conv_stem.")
        .replace("conv_head", "_conv_head")
    )
    if not key.startswith("blocks."):
        return {"bn1": "_bn0", "bn2": "_bn1"}.get(key.partition(".")[0], key.partition(".")[0]) + key[
            len(key.partition(".")[0]) :
        ]
    _, stage, block, layer, rest = key.split(".", 4)
    first = sum((1, 2, 2, 3, 3, 4, 1)[: int(stage)])
    plain = stage == "0"  # no expansion
    names = {"conv_pw": "_project_conv" if plain else "_expand_conv", "conv_dw": "_depthwise_conv"}
    names |= {"conv_pwl": "_project_conv"}
    layer = names.get(layer) or f"_bn{int(layer[-1]) - (0 if plain else 1)}"
    return f"_blocks.{first + int(block)}.{layer}.{rest}"


def old_densenet(key: str) -> str:
    """torchvision's of 2017: "norm.1" and "conv.2" in a dense layer."""
    return key.replace(".norm1.", ".norm.1.").replace(".norm2.", ".norm.2.").replace(".conv1.", ".conv.1.").replace(
        ".conv2.", ".conv.2."
    )  # fmt: skip


def robustness(state: State) -> State:
    """MadryLab/robustness saves its normaliser, and the network once more inside its attacker."""
    statistics = {"new_mean": torch.zeros(3, 1, 1), "new_std": torch.ones(3, 1, 1)}
    found = {f"module.normalizer.{key}": value for key, value in statistics.items()}
    found |= {f"module.attacker.normalize.{key}": value for key, value in statistics.items()}
    return found | {f"module.attacker.model.{key}": value for key, value in state.items()}


def mlp() -> nn.Module:
    run = nets.Net(
        lambda m, x: m.fc2(torch.relu(m.fc1(x.flatten(1)))), fc1=nn.Linear(784, 50), fc2=nn.Linear(50, 10)
    )
    return nets.classifier(run, "fc2", nets.GREY)


def small_vit() -> nn.Module:
    layers = {"to_patch_embedding": nn.Linear(48, 16), "mlp_head": nn.Linear(16, 10)}
    return nets.classifier(nets.Net(lambda m, x: x, **layers), "mlp_head")


def fastai() -> nn.Module:
    body = nn.Sequential(nets.conv(3, 8), nets.bn(8), nn.ReLU())
    head = nn.Sequential(
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(8), nn.Linear(8, 10, bias=False)
    )
    return nets.classifier(nn.Sequential(body, head), "1.3")


def cut(network: nn.Module, **renamed: str) -> Callable[[str], str]:
    """Other names for the beginnings of keys."""

    def rename(key: str) -> str:
        for old, new in renamed.items():
            if key.startswith(old + "."):
                return new + key[len(old) :]
        return f"backbone.{key}"

    return rename


ARGS = argparse.Namespace(lr=0.1, epochs=200, arch="resnet")
KUANGLIU = {"acc": 95.4, "epoch": 199}
LIGHTNING = {
    "epoch": 9,
    "global_step": 100,
    "pytorch-lightning_version": "2.4.0",
    "hyper_parameters": {"lr": 0.1},
}
DISTILLER = {"epoch": 240, "best_acc": torch.tensor(79.4), "opt": ARGS}
net, state_dict = partial(saved, "net", "module.", beside=KUANGLIU), partial(saved, "state_dict", "module.")

STYLES = (
    # Small networks of tutorials
    Style("cifar-tutorial", "pytorch.org, Training a Classifier", nets.cifar_tutorial, saved()),
    Style("mnist-example", "pytorch/examples, mnist", nets.mnist_example, saved()),
    Style("mnist-2017", "pytorch/examples of 2017", partial(nets.mnist_pooled, (10, 20, 50)), saved(old=True)),
    Style("caffe-lenet", "pytorch/examples of 2018", partial(nets.mnist_pooled, (20, 50, 500)), saved(old=True)),
    Style("lenet5", "d2l and many courses", partial(nets.cifar_tutorial, 1), saved("model_state_dict")),
    Style("lenet5-c1", "activatedgeek/LeNet-5", nets.lenet5_c1, saved(old=True)),
    Style("trades-cnn", "yaodongyu/TRADES", nets.trades_cnn, saved()),
    Style("quickstart", "pytorch.org, Quickstart", nets.quickstart, saved()),
    Style("resnet9", "Jovian, Zero to GANs", nets.resnet9, saved()),
    # ResNet in five spellings, and wrappers
    Style("kuangliu-resnet18", "kuangliu/pytorch-cifar", resnets.resnet, net(old=True)),
    Style("kuangliu-resnet50", "kuangliu/pytorch-cifar", partial(resnets.resnet, (3, 4, 6, 3), 4, True), net()),
    Style("kuangliu-wide18", "kuangliu/pytorch-cifar, width 64", partial(resnets.resnet, w=64), saved("model")),
    Style("akamaster-resnet20", "akamaster/pytorch_resnet_cifar10", resnets.option_a, state_dict(beside={"best_prec1": 91.7})),
    Style("chenyaofo-resnet20", "chenyaofo/pytorch-cifar-models",
          partial(resnets.resnet, (3, 3, 3), 16, shortcut="downsample", head="fc", k=100), saved(), n_classes=100),
    Style("huyvnphan-resnet18", "huyvnphan/PyTorch_CIFAR10",
          partial(resnets.resnet, shortcut="downsample", head="fc"), saved(old=True)),
    Style("bearpaw-resnet20", "bearpaw/pytorch-classification",
          partial(resnets.resnet, (3, 3, 3), 16, shortcut="downsample", head="fc"),
          state_dict(old=True, beside={"epoch": 164, "acc": 92.0, "best_acc": 92.1, "optimizer": {"state": {}}})),
    Style("bearpaw-resnet56-deep", "bearpaw/pytorch-classification",
          partial(resnets.resnet, (2, 2, 2), 8, True, shortcut="downsample", head="fc"), state_dict()),
    Style("weiaicunzai-resnet18", "weiaicunzai/pytorch-cifar100", resnets.weiaicunzai_resnet, saved(), n_classes=100),
    Style("weiaicunzai-resnet26-deep", "weiaicunzai/pytorch-cifar100",
          partial(resnets.weiaicunzai_resnet, 4, True), saved(old=True), n_classes=100),
    Style("hysts-resnet", "hysts/pytorch_image_classification", resnets.hysts_resnet, saved("model", beside={"config": "a"})),
    Style("dxy-resnet20", "D-X-Y/ResNeXt-DenseNet", partial(resnets.option_a, facebook=True), state_dict(old=True)),
    Style("distiller-resnet8x4", "HobbitLong/RepDistiller",
          partial(resnets.resnet, (1, 1, 1), 16, stem=8, shortcut="downsample", head="fc", k=100),
          saved("model", beside=DISTILLER), n_classes=100),
    Style("mmpretrain-resnet18", "open-mmlab/mmpretrain, ResNet_CIFAR",
          partial(resnets.resnet, shortcut="downsample", head="fc"),
          saved("state_dict", rename=cut(nn.Module(), fc="head.fc"), beside={"meta": {"epoch": 200}})),
    Style("lightning-resnet18", "Lightning modules with self.model", resnets.resnet,
          saved("state_dict", "model.", beside=LIGHTNING)),
    Style("solo-learn-resnet18", "vturrisi/solo-learn, linear evaluation",
          partial(resnets.resnet, shortcut="downsample", head="fc"),
          saved("state_dict", rename=cut(nn.Module(), fc="classifier"), beside=LIGHTNING)),
    Style("robustness-resnet18", "MadryLab/robustness", resnets.resnet,
          saved("model", "module.model.", extra=robustness, beside={"epoch": 150})),
    Style("swa-resnet20", "torch.optim.swa_utils.AveragedModel", resnets.option_a,
          saved("swa_state_dict", "module.", extra=lambda state: {"n_averaged": torch.tensor(5)})),
    Style("compiled-resnet18", "torch.compile", resnets.resnet, saved("model", "_orig_mod.")),
    Style("half-resnet18", "model.half()", resnets.resnet, saved(half=True)),
    # Pre-activation and wide
    Style("kuangliu-preact18", "kuangliu/pytorch-cifar", resnets.preact, net(old=True)),
    Style("locuslab-preact18", "locuslab/fast_adversarial", partial(resnets.preact, norm="bn"), saved()),
    Style("bearpaw-preresnet20", "bearpaw/pytorch-classification",
          partial(resnets.preact, (3, 3, 3), 16, shortcut="downsample", raw=True, norm="bn", head="fc"), state_dict()),
    Style("xternalz-wrn", "xternalz/WideResNet-pytorch", resnets.wide, state_dict(old=True, beside={"best_prec1": 96.0})),
    Style("trades-wrn", "yaodongyu/TRADES, RobustBench", partial(resnets.wide, 2), saved("", "module.")),
    Style("distiller-wrn", "HobbitLong/RepDistiller", partial(resnets.wide, 2, 1), saved("model", old=True, beside=DISTILLER)),
    Style("meliketoy-wrn", "meliketoy/wide-resnet.pytorch", partial(resnets.wide, late=True), saved()),
    # VGG, DenseNet, MobileNetV2, ShuffleNetV2
    Style("kuangliu-vgg16", "kuangliu/pytorch-cifar", partial(families.vgg, 16), net()),
    Style("weiaicunzai-vgg11", "weiaicunzai/pytorch-cifar100", partial(families.vgg, 11, 4, (64, 64)), saved(old=True)),
    Style("weiaicunzai-vgg16-plain", "the same without BatchNorm",
          partial(families.vgg, 16, 4, (64, 64), norm=False), saved()),
    Style("chenyaofo-vgg16-bn", "chenyaofo/pytorch-cifar-models", partial(families.vgg, 16, 8, (64, 64)), saved()),
    Style("kuangliu-densenet", "kuangliu/pytorch-cifar", families.densenet, net(old=True)),
    Style("bearpaw-densenet", "bearpaw/pytorch-classification",
          partial(families.densenet, (3, 3, 3), bearpaw=True), state_dict()),
    Style("weiaicunzai-densenet", "weiaicunzai/pytorch-cifar100", families.weiaicunzai_densenet, saved(), n_classes=100),
    Style("huyvnphan-densenet", "huyvnphan/PyTorch_CIFAR10", families.cifar_densenet121, saved()),
    Style("kuangliu-mobilenetv2", "kuangliu/pytorch-cifar", families.kuangliu_mobilenetv2, net()),
    Style("weiaicunzai-mobilenetv2", "weiaicunzai/pytorch-cifar100", families.sequential_mobilenetv2,
          saved(), n_classes=100),
    Style("distiller-mobilenetv2", "HobbitLong/RepDistiller", partial(families.sequential_mobilenetv2, distiller=True),
          saved("model", beside=DISTILLER), n_classes=100),
    Style("kuangliu-shufflenetv2", "kuangliu/pytorch-cifar", families.kuangliu_shufflenetv2, net(old=True)),
    Style("weiaicunzai-shufflenetv2", "weiaicunzai/pytorch-cifar100", families.weiaicunzai_shufflenetv2,
          saved(), n_classes=100),
    # Networks of torchvision and timm as others save them
    Style("finetuned-resnet18", "torchvision, a new fc", torchvision("resnet18", 7, "fc"), saved(), "--model", 7),  # timm's resnetblur18 has the same keys
    Style("references-shufflenet", "torchvision/references", torchvision("shufflenet_v2_x0_5", 20, "fc"),
          saved("model", beside={"optimizer": {}, "epoch": 3, "args": ARGS}), n_classes=20),
    Style("imagenet-example-squeezed", "pytorch/examples, imagenet: DataParallel on the features alone",
          torchvision("mobilenet_v3_small", 12, "classifier.3"),
          saved("state_dict", rename=lambda key: key.replace("features.", "features.module.", 1),
                beside={"arch": "mobilenet_v3_small", "epoch": 90, "best_acc1": 0.5}), n_classes=12),
    Style("old-densenet", "torchvision of 2017", torchvision("densenet121", 5, "classifier"),
          saved(rename=old_densenet, old=True), n_classes=5),
    Style("timm-train", "timm train.py", timm("mobilenetv3_small_050", 9, "classifier"),
          saved("state_dict", beside={"arch": "mobilenetv3_small_050", "args": ARGS, "epoch": 300}), n_classes=9),
    Style("timm-safetensors", "timm on the hub", timm("resnet10t", 6, "fc"), as_safetensors, n_classes=6),
    Style("efficientnet-lite0", "lukemelas/EfficientNet-PyTorch and its ports",
          timm("tf_efficientnet_lite0", 10, "classifier"), saved(rename=lukemelas, old=True)),
    # To be named, or refused
    Style("own-mlp", "anybody", mlp, saved(), "--model"),
    Style("fastai", "fastai learn.save", fastai, saved("model", beside={"opt": {}}), "--model"),
    Style("vit-pytorch", "lucidrains/vit-pytorch", small_vit, saved(), "--model"),
    Style("huyvnphan-mobilenetv2", "huyvnphan/PyTorch_CIFAR10: torchvision's keys and other strides",
          torchvision("mobilenet_v2", 10, "classifier.1"), saved(), "--model"),
    Style("whole-module", "meliketoy/wide-resnet.pytorch", mlp, whole, "refused"),
    Style("torchscript", "torch.jit.save", mlp, script, "refused"),
    Style("keras-h5", "Keras 2", mlp, written(b"\x89HDF\r\n\x1a\n" + bytes(600)), "refused"),
    Style("flax-msgpack", "Flax", mlp, written(b"\x81\xa6params\x81\xa5Dense\x80"), "refused"),
    Style("onnx", "torch.onnx.export", mlp, written(b"\x08\x09\x12\x05torch\x3a\x10" + bytes(16)), "refused"),
    Style("pickled-arrays", "pickle.dump of NumPy arrays", mlp, pickled, "refused"),
    Style("optimizer-alone", "a training state", mlp, optimizer, "refused"),
)  # fmt: skip


def stirred(network: nn.Module, seed: int = 0) -> nn.Module:
    """Random statistics and scales, so that every layer and every image matters; in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            for tensor, low in ((module.weight, 0.5), (module.running_var, 0.5), (module.bias, -0.3)):
                tensor.data.uniform_(low, low + 0.6, generator=generator)
            module.running_mean.uniform_(-0.3, 0.3, generator=generator)
    return network.eval()
