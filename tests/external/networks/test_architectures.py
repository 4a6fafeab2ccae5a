"""Files find their architecture by keys and shapes, within seconds, and nothing near is taken for a fit."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from penviz.external.networks import architectures, builders, fingerprints
from penviz.external.networks.cifar_resnets import NAMES
from penviz.external.networks.layer_tables import TableNetwork, Widen
from penviz.external.reader.report import TensorEntry
from penviz.store.run_config import RunError
from penviz.training.models import MODELS


def entries_of(network: nn.Module) -> list[TensorEntry]:
    state = network.state_dict()
    return [TensorEntry(k, tuple(t.shape), "float32", 4 * t.numel(), k) for k, t in state.items()]


def complete(network: nn.Module, n_classes: int = 7) -> list[str]:
    found = architectures.candidates(entries_of(network), n_classes)
    return [candidate.name for candidate in found if candidate.complete]


@pytest.mark.parametrize("name", MODELS)
def test_own_networks_fit_themselves_alone(name: str) -> None:
    network = architectures.build(name, 7)
    assert complete(network) == [name]


@pytest.mark.parametrize("name", NAMES)
def test_cifar_resnets_fit_themselves_alone(name: str) -> None:
    assert complete(architectures.build(f"cifar:{name}", 7)) == [f"cifar:{name}"]


def test_the_side_is_read_off_the_file() -> None:
    small = MODELS["tutorial_alexnet"].build((3, 24, 24), 10)
    assert complete(small, 10) == ["tutorial_alexnet"]
    shapes = {k: tuple(t.shape) for k, t in small.state_dict().items()}
    assert architectures.input_shape("tutorial_alexnet", small) == (3, 24, 24)
    assert architectures.build("tutorial_alexnet", 10, shapes)(torch.zeros(1, 3, 24, 24)).shape == (1, 10)
    grey = MODELS["fc800"].build((1, 28, 28), 10)
    assert complete(grey, 10) == ["fc800"]
    assert architectures.input_shape("fc800", grey) == (1, 28, 28)


@pytest.mark.parametrize("name", ["alexnet", "resnet18", "regnet_y_400mf", "swin_t", "googlenet-without-aux"])
def test_torchvision_networks_are_found(name: str) -> None:
    assert complete(architectures.build(f"torchvision:{name}", 7))[0] == f"torchvision:{name}"


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "convnext_atto", "resnet18d"])
def test_timm_networks_are_found(name: str) -> None:
    pytest.importorskip("timm")
    assert f"timm:{name}" in complete(architectures.build(f"timm:{name}", 7))


def test_torchvisions_and_the_cifar_resnet_are_the_same_but_for_the_stem() -> None:
    """An independent reference for our ResNets: torchvision's with its stem replaced."""
    from torchvision import models as zoo

    for depth in (18, 50):
        theirs = zoo.get_model(f"resnet{depth}", weights=None, num_classes=7)
        theirs.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        theirs.maxpool = nn.Identity()
        ours = architectures.build(f"cifar:resnet{depth}", 7)
        ours.load_state_dict(theirs.state_dict())
        other = architectures.build(f"cifar:resnet{depth}-shortcut", 7)
        renamed = {
            k.replace("downsample", "shortcut").replace("fc.", "linear."): v
            for k, v in theirs.state_dict().items()
        }
        other.load_state_dict(renamed)
        x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            assert torch.allclose(ours(x), theirs.eval()(x), atol=1e-5)
            assert torch.equal(other(x), ours(x))


def test_a_shortcut_without_parameters_is_option_a() -> None:
    """Every other pixel, and zeros in the new channels, half of them in front."""
    x = torch.rand(2, 4, 6, 6)
    out = TableNetwork((Widen(2, 2),))(x)
    assert torch.equal(out[:, 2:6], x[:, :, ::2, ::2])
    assert not out[:, :2].any()
    assert not out[:, 6:].any()


def test_a_thin_resnet_is_penvizs_own_but_for_its_keys() -> None:
    """The number of weights of He et al. 2016, table 6: 0.27 million for 20 layers, 1.7 for 110."""
    for depth, millions in ((20, 0.27), (110, 1.7)):
        network = architectures.build(f"cifar:resnet{depth}-identity", 10)
        n = sum(p.numel() for p in network.parameters())
        assert round(n / 1e6, 2 if millions < 1 else 1) == millions
        assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 10)


def test_a_vision_transformer_for_small_images_is_found() -> None:
    timm = pytest.importorskip("timm")
    small = timm.create_model("vit_tiny_patch16_224", num_classes=7, img_size=32, patch_size=4)
    assert "timm:vit_tiny_patch16_224" in complete(small)


def test_a_body_without_its_head_is_named() -> None:
    entries = [e for e in entries_of(architectures.build("resnet20", 7)) if "head" not in e.key]
    best = architectures.candidates(entries, None)[0]
    assert (best.name, best.missing) == ("resnet20", ("head.weight", "head.bias"))


def test_the_evidence_says_what_differs() -> None:
    network = architectures.build("torchvision:resnet18", 10)
    best = architectures.candidates(entries_of(network), 10)[0]
    assert best.evidence == "all 122 keys and shapes match"
    near = architectures.candidates(entries_of(network), 1000)[0]
    assert not near.complete
    assert (near.n_matched, near.n_keys) == (120, 122)
    assert near.evidence.startswith("120 of 122 keys and shapes match; fc.weight is 10 x 512 in the file")
    entries = [e for e in entries_of(network) if e.key != "bn1.weight"]
    entries.append(TensorEntry("bonus", (3,), "float32", 12, "bonus"))
    changed = architectures.candidates(entries, 10)[0]
    assert changed.missing == ("bn1.weight",)
    assert changed.unexpected == ("bonus",)
    assert "the file lacks bn1.weight; the network has no bonus" in changed.evidence


def test_old_files_without_counters_fit() -> None:
    network = architectures.build("resnet20", 10)
    entries = [e for e in entries_of(network) if not e.key.endswith("num_batches_tracked")]
    (found,) = [c for c in architectures.candidates(entries, 10) if c.complete]
    assert found.name == "resnet20"
    assert found.n_keys == len(entries)


def test_strangers_have_no_candidate() -> None:
    stranger = nn.Sequential(nn.Linear(30, 20), nn.Linear(20, 7))
    assert architectures.candidates(entries_of(stranger), 7) == []
    assert architectures.candidates([], 7) == []


def test_fingerprints_are_of_the_installed_versions() -> None:
    from torchvision import models as zoo

    names, sketches = fingerprints.stored()
    rows = {name: row for row, name in enumerate(names)}
    for name in [f"torchvision:{n}" for n in zoo.list_models(module=zoo)]:
        assert name in rows
    for name in ("torchvision:vgg11", "torchvision:efficientnet_b0", "torchvision:regnet_x_400mf"):
        own = fingerprints.sketch(architectures.network_shapes(name, 1000))
        assert np.array_equal(sketches[rows[name]], own)


def test_a_fingerprint_estimates_the_jaccard_index() -> None:
    rng = np.random.default_rng(0)
    own = {f"layer{i}.weight": (i % 7, 3) for i in range(400)}
    errors = []
    for share in (0.2, 0.5, 0.9):
        for trial in range(8):
            kept = rng.permutation(400)[: int(400 * share)]
            other = {f"layer{i}.weight": (i % 7, 3) for i in kept}
            other |= {f"t{trial}.{i}": (i,) for i in range(400 - len(kept))}
            exact = len(kept) / (800 - len(kept))
            found = fingerprints.resemblance(fingerprints.sketch(own), fingerprints.sketch(other)[None])[0]
            errors.append(found - exact)
    assert abs(np.mean(errors)) < 0.06  # standard error of 24 estimates from 32 hashes each: 0.017
    assert np.abs(errors).max() < 0.35
    few = {"a": (1,), "b": (2,)}
    assert (
        fingerprints.resemblance(fingerprints.sketch(few), fingerprints.sketch({"a": (1,)})[None])[0] == 0.5
    )


def test_the_second_answer_is_immediate() -> None:
    entries = entries_of(architectures.build("torchvision:resnet18", 10))
    architectures.candidates(entries, 10)
    started = time.monotonic()
    architectures.candidates(entries, 10)
    assert time.monotonic() - started < 2  # 0.03 s on an idle machine


@pytest.mark.slow
def test_a_local_directory_of_hugging_face(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    config = {
        "architectures": ["ResNetForImageClassification"],
        "model_type": "resnet",
        "embedding_size": 8,
        "hidden_sizes": [8, 16],
        "depths": [1, 1],
        "layer_type": "basic",
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    script = f"""
import sys, torch
from penviz.external.evidence import head
from penviz.external.networks import architectures, builders
network = architectures.build("hf:{tmp_path}", 7)
assert builders.renamed(network, network.state_dict()).keys() == network.state_dict().keys()
from transformers import ViTConfig, ViTForImageClassification
from safetensors.torch import load_file
sides = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
saved = ViTForImageClassification(ViTConfig(**sides, image_size=32, patch_size=8, num_labels=7)).eval()
saved.save_pretrained("{tmp_path}/vit")
written = load_file("{tmp_path}/vit/model.safetensors")
vit = architectures.build("hf:{tmp_path}/vit", 7)
weights = builders.renamed(vit, written)
assert weights.keys() == vit.state_dict().keys()
vit.load_state_dict(weights)
images = torch.randn(2, 3, 32, 32)
assert torch.equal(vit(images).logits, saved(images).logits)
lacking = {{key: t for key, t in written.items() if "classifier" not in key}}
assert builders.renamed(vit, lacking) is lacking
proof = head.prove_head(network, torch.randn(4, 3, 64, 64))
assert proof.module == "classifier.1" and proof.head.weight.shape == (7, 16), proof
"""
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    with pytest.raises(RunError, match="has no config"):
        architectures.build(f"hf:{tmp_path / 'nothing'}", 7)


def test_a_factory_of_ones_own_on_the_command_line_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ownnets.py").write_text(
        "from torch import nn\ndef make(num_classes):\n    return nn.Linear(4, num_classes)\n"
        "def fixed():\n    return nn.Linear(4, 9)\ndef wrong():\n    return 3\n"
        "def needs(a):\n    pass\ndef fails():\n    raise KeyError('oh')\nthing = 3\n"
    )
    (tmp_path / "broken.py").write_text("def f(:")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert architectures.build("ownnets:make", 7, local=True)(torch.zeros(1, 4)).shape == (1, 7)
    assert architectures.build("ownnets:fixed", 7, local=True)(torch.zeros(1, 4)).shape == (1, 9)
    for name, sentence in (
        ("ownnets:wrong", "returned int, not a torch module"),
        ("ownnets:absent", "cannot be imported"),
        ("nowhere:make", "cannot be imported"),
        ("broken:make", "cannot be imported .SyntaxError"),
        ("ownnets:needs", "builds no network .TypeError"),
        ("ownnets:fails", "builds no network .KeyError: 'oh'"),
        ("ownnets:thing", "builds no network .TypeError"),
    ):
        with pytest.raises(RunError, match=sentence):
            architectures.build(name, 7, local=True)
    with pytest.raises(RunError, match="on the command line only"):
        architectures.build("ownnets:make", 7)


@pytest.mark.parametrize("name", ["resnet21", "cifar:resnet19", "torchvision:nothing", "timm:nothing"])
def test_an_unknown_name_is_one_sentence(name: str) -> None:
    if name.startswith("timm"):
        pytest.importorskip("timm")
    with pytest.raises(RunError, match=r"no .*network"):
        architectures.build(name, 10)


def test_building_leaves_the_generator_alone() -> None:
    state = torch.random.get_rng_state()
    first = architectures.build("resnet20", 10)
    builders.builder("resnet20", 10, {}, False)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(
        torch.equal(a, b)
        for a, b in zip(first.parameters(), architectures.build("resnet20", 10).parameters(), strict=True)
    )
