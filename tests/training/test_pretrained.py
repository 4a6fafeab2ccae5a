"""Pretrained weights and torchvision's networks, all without a network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_images import assert_one_sentence
from torch_cache import cached_weights
from torchvision import models as torchvision_models
from torchvision import transforms

from penviz.store.run_config import RunConfig, RunError
from penviz.training import evaluate, images, models, pretrained, zoo
from penviz.training.data_set import Split
from penviz.training.folder import ImageFiles, read_square

# Networks.


@pytest.mark.parametrize(
    "name",
    ["resnet18", "densenet121", "mobilenet_v3_small", "alexnet", "regnet_y_400mf", "shufflenet_v2_x0_5"],
)
def test_features_and_head_are_torchvisions_network_in_two(name: str) -> None:
    network = models.build(f"torchvision:{name}", (3, 64, 64), 1000).eval()
    torch.manual_seed(1)
    theirs = torchvision_models.get_model(name, weights=None).eval()
    zoo.load_body(network, theirs.state_dict(), name)
    key = zoo._head_of(name)[0]
    network.head.load_state_dict(theirs.get_submodule(key).state_dict())
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        features = network.features(x)
        assert features.shape == (2, models.architecture(f"torchvision:{name}").width)
        assert torch.allclose(network(x), theirs(x), atol=1e-5)


def test_the_head_of_fastai() -> None:
    """Layer by layer as fastai v1's create_head(1024, 37) lists it."""
    network = models.build("torchvision:resnet34-fastai", (3, 64, 64), 37)
    assert isinstance(network.features, torch.nn.Sequential)
    top = network.features[1]
    assert isinstance(top, torch.nn.Sequential)
    kinds = ["ConcatPool", "BatchNorm1d", "Dropout", "Linear", "ReLU", "BatchNorm1d", "Dropout"]
    assert [type(m).__name__ for m in top] == kinds
    assert (top[1].num_features, top[3].in_features, top[3].out_features) == (1024, 1024, 512)
    assert (top[2].p, top[6].p) == (0.25, 0.5)
    assert network.head.weight.shape == (37, 512)
    assert not network.head.bias.any()
    x = torch.arange(24.0).reshape(1, 2, 3, 4)
    assert top[0](x).tolist() == [[11.0, 23.0, 5.5, 17.5]]
    torch.manual_seed(1)
    theirs = torchvision_models.resnet34(weights=None)
    zoo.load_body(network, theirs.state_dict(), "resnet34")
    spatial = torch.nn.Sequential(*list(theirs.children())[:-2]).eval()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(network.eval().body(x), spatial(x), atol=1e-6)


def test_a_frozen_body_keeps_its_weights_but_for_its_norms() -> None:
    network = models.build("torchvision:resnet34-fastai", (3, 64, 64), 4)
    zoo.freeze_body(network)
    open_ones = {name for name, p in network.named_parameters() if p.requires_grad}
    assert {name for name, p in network.named_parameters() if p.ndim > 1 and p.requires_grad} == {
        "features.1.3.weight",
        "head.weight",
    }
    assert {"features.0.bn1.weight", "features.0.layer4.2.bn2.bias", "head.bias"} <= open_ones


def test_networks_that_cannot_be_trained_are_named() -> None:
    for name, words in (
        ("torchvision:nothing", "no classification network"),
        ("torchvision:squeezenet1_0", "no single linear layer"),
        ("torchvision:vgg11-fastai", "ResNets only"),
        ("resnet99", "torchvision:NAME"),
    ):
        with pytest.raises(RunError, match=words) as caught:
            models.architecture(name)
        assert_one_sentence(caught.value)
    with pytest.raises(RunError, match="colour"):
        models.build("torchvision:resnet18", (1, 64, 64), 10)


def test_pixels_are_normalised_as_torchvision_does() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    preset = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    expected = preset(transforms.functional.to_tensor(picture))
    got = images.normalise(torch.from_numpy(picture)[None])[0]
    assert float((got - expected).abs().max()) < 1e-6


@pytest.mark.parametrize("size", [(61, 80), (80, 61), (40, 40), (33, 70)])
def test_images_are_cut_as_torchvision_does(size: tuple[int, int], tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    for name in ("bilinear", "bicubic"):
        kind = transforms.InterpolationMode(name)
        way = transforms.Compose([transforms.Resize(40, kind), transforms.CenterCrop(40)])
        expected = np.asarray(way(Image.fromarray(picture)))
        assert np.array_equal(read_square(tmp_path / "a.png", 40, name), expected)


def test_files_read_like_an_array(tmp_path: Path) -> None:
    for i in range(5):
        Image.fromarray(np.full((9, 9, 3), 10 * i, np.uint8)).save(tmp_path / f"{i}.png")
    files = ImageFiles(sorted(tmp_path.glob("*.png")), 6)
    assert files.shape == (5, 6, 6, 3)
    assert files[np.array([4, 0, 4])][:, 0, 0, 0].tolist() == [40, 0, 40]
    assert files[1:3].shape == (2, 6, 6, 3)
    assert files[np.array([False, True, False, False, True])][:, 0, 0, 0].tolist() == [10, 40]
    assert [int(image[0, 0, 0]) for image in files.only(slice(3, None))] == [30, 40]


# Weights.


def test_the_cache_is_used_and_its_digest_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, state = cached_weights(tmp_path, "resnet18", monkeypatch)
    found = pretrained.find("torchvision:resnet18")
    assert (found.path, found.name) == (path, "IMAGENET1K_V1")
    assert path.name == f"resnet18-{found.sha256[:8]}.pth"
    assert set(pretrained.read(found)) == set(state)


def test_a_changed_official_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, state = cached_weights(tmp_path, "resnet18", monkeypatch)
    torch.save(state | {"fc.bias": state["fc.bias"] + 1}, path)
    with pytest.raises(RunError, match="not the file that its name says") as caught:
        pretrained.find("torchvision:resnet18")
    assert_one_sentence(caught.value)


@pytest.mark.usefixtures("offline")
def test_a_missing_file_without_a_network_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    with pytest.raises(RunError, match=r"resnet34-b627a593\.pth is not in .* could not be downloaded") as got:
        pretrained.find("torchvision:resnet34")
    assert_one_sentence(got.value)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "cache").mkdir()
    with pytest.raises(RunError, match="name a file of them"):
        pretrained.find("torchvision:resnet34")
    assert list((tmp_path / "cache").iterdir()) == []
    with pytest.raises(RunError, match="no file of weights"):
        pretrained.find("torchvision:resnet34", str(tmp_path / "none.pth"))
    with pytest.raises(RunError, match="no pretrained weights"):
        pretrained.find("resnet20")


def test_files_that_are_no_weights(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (tmp_path.joinpath("ran").write_text, ("x",))

    path = tmp_path / "w.pth"
    for stored in (Evil(), {"state_dict": {"fc.weight": torch.zeros(2)}}):
        torch.save(stored, path)
        with pytest.raises(RunError) as caught:
            pretrained.read(pretrained.find("torchvision:resnet18", str(path)))
        assert_one_sentence(caught.value)
    for raw in (b"nothing", b"hello\n", b"", b"\x80\x02."):
        path.write_bytes(raw)
        with pytest.raises(RunError, match="cannot be read as weights"):
            pretrained.read(pretrained.find("torchvision:resnet18", str(path)))
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_network_do_not_fit() -> None:
    network = models.build("torchvision:resnet34", (3, 64, 64), 4)
    state = torchvision_models.resnet18(weights=None).state_dict()
    with pytest.raises(RunError, match="keys and shapes match") as caught:
        zoo.load_body(network, state, "theirs.pth")
    assert_one_sentence(caught.value)
    deeper = torchvision_models.resnet34(weights=None).state_dict()
    with pytest.raises(RunError, match="does not"):
        zoo.load_body(models.build("torchvision:resnet18", (3, 64, 64), 4), deeper, "theirs.pth")


def test_configs_of_older_runs_are_read() -> None:
    old = RunConfig("cifar10", "resnet20").to_json()
    for key in ("pretrained", "pretrained_sha256", "frozen"):
        del old[key]
    assert RunConfig.from_json(json.loads(json.dumps(old))) == RunConfig("cifar10", "resnet20")
    for bad in ({"frozen": True}, {"pretrained": "IMAGENET1K_V1"}, {"pretrained_sha256": "ab"}):
        with pytest.raises(RunError):
            RunConfig("pets", "torchvision:resnet34", **bad)


def test_large_images_run_in_smaller_batches() -> None:
    split = Split(
        np.zeros((7, 256, 256, 3), np.uint8), np.zeros(7, np.int64), np.arange(7), np.zeros(7, np.uint64), ""
    )
    network = models.build("torchvision:resnet18", (3, 224, 224), 4)
    sizes = [x.shape for x in evaluate.batches(network, split, 224, torch.device("cpu"), batch=500)]
    assert sizes == [(7, 3, 224, 224)]
    assert evaluate.BATCH_PIXELS // 224**2 == 40
    small = Split(
        np.zeros((900, 32, 32, 3), np.uint8), np.zeros(900, np.int64), np.arange(900), np.zeros(900), ""
    )
    counts = [
        len(x) for x in evaluate.batches(models.build("fc800", (3, 32, 32), 4), small, 0, torch.device("cpu"))
    ]
    assert counts == [500, 400]
