"""Published ImageNet networks by name, on small generated directories and without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch_cache import cached_weights
from torchvision import models as torchvision_models

from penviz.app.state import presets as offered
from penviz.external.evidence.preprocessing import IMAGENET, Preprocessing
from penviz.external.networks import presets
from penviz.store.activations import Activations
from penviz.store.run_config import RunError
from penviz.store.run_differences import differences
from penviz.store.runs import activations_path, read_run
from penviz.study.finding import NONE_DRAWN
from penviz.training.imagenet import SYNSETS, read_imagenet

if TYPE_CHECKING:
    from conftest import Verb

V1, V2 = "imagenet-resnet50-v1", "imagenet-resnet50-v2"
N = {"train": 1, "val": 2}


def write_imagenet(root: Path, synsets: list[str], counts: dict[str, int], side: int = 60) -> Path:
    rng = np.random.default_rng(0)
    for part, n in counts.items():
        for synset in synsets:
            folder = root / part / synset
            folder.mkdir(parents=True)
            for i in range(n):
                pixels = rng.integers(0, 256, (side, side + 12, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{synset}_{i}.JPEG", format="JPEG")
    return root


@pytest.fixture(scope="module")
def triples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The five folders of the paper's two triples."""
    return write_imagenet(tmp_path_factory.mktemp("imagenet"), sorted(SYNSETS), N)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A preset of a network that takes images of 32 pixels."""
    cached_weights(tmp_path / "cache", "resnet18", monkeypatch)
    way = Preprocessing("small", 36, 32, mean=IMAGENET[0], std=IMAGENET[1])
    monkeypatch.setattr(presets, "_preprocessing", lambda *_: way)
    made = presets.Preset("torchvision:resnet18", "IMAGENET1K_V1", 0.0, (), "small")
    monkeypatch.setitem(presets.PRESETS, "small", made)
    return "small"


def test_the_rows_of_the_five_classes_are_torchvisions_and_timms() -> None:
    """The folders stand at these rows of timm's sorted synsets, and torchvision calls the rows so."""
    words = torchvision_models.ResNet50_Weights.IMAGENET1K_V1.meta["categories"]
    assert [words[row] for row in sorted(SYNSETS.values())] == [
        *("tench", "toy poodle", "miniature poodle", "meerkat", "cleaver")
    ]
    assert words == torchvision_models.ResNet50_Weights.IMAGENET1K_V2.meta["categories"]
    names = pytest.importorskip("timm.data").ImageNetInfo().label_names()
    assert len(names) == 1000
    assert sorted(names) == names
    assert {synset: names.index(synset) for synset in SYNSETS} == SYNSETS


@pytest.mark.slow
def test_both_resnets_from_the_cache_to_a_headline_that_refuses(
    penviz: Verb, triples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = {V1: 256, V2: 232}
    for seed, (name, version) in enumerate(((V1, "IMAGENET1K_V1"), (V2, "IMAGENET1K_V2"))):
        _, state = cached_weights(tmp_path / "cache", "resnet50", monkeypatch, version, seed)
        out = tmp_path / name
        status, _, said = penviz(
            "extract", "--preset", name, "--dataset", triples, "--out", out, "--progress", "none"
        )
        assert status == 0, said
        run = read_run(out)
        assert run.record["adopted"]["preprocessing"]["size"] == sides[name]
        assert run.record["adopted"]["preprocessing"]["interpolation"] == "bilinear"
        assert (run.config.targets, run.config.label_smoothing) == (
            ("hard", 0.0) if name == V1 else ("uniform", 0.1)
        )
        assert run.adoption.quick_look == (0, 265, 266, 299, 499)
        held = Activations.load(activations_path(out, "validation"))
        assert np.bincount(held.labels)[[0, 265, 266, 299, 499]].tolist() == [N["val"]] * 5
        _same_as_torchvision(held, triples, state, version)
    first, second = (Activations.load(activations_path(tmp_path / n, "train")) for n in (V1, V2))
    assert np.array_equal(first.hashes, second.hashes)  # the same examples, whatever the size
    assert first.dataset_id == second.dataset_id
    both = [tmp_path / V1, tmp_path / V2]
    assert "mixup" in differences([read_run(p) for p in both])
    classes = ("--classes", "tench", "meerkat", "cleaver")
    status, out_text, said = penviz("measure", *both, *classes)
    assert status == 0, said
    assert "differ in a schedule of 600 epochs, mixup" in out_text
    assert NONE_DRAWN in out_text
    record = json.loads((both[1] / "run.json").read_text())  # the test can fail: without the recipe
    del record["adopted"]["recipe"]
    (both[1] / "run.json").write_text(json.dumps(record))
    _, out_text, _ = penviz("measure", *both, *classes)
    assert NONE_DRAWN not in out_text


def _same_as_torchvision(held: Activations, root: Path, state: dict[str, torch.Tensor], version: str) -> None:
    """Features of one file, as torchvision's own transforms and network make them."""
    network = torchvision_models.resnet50(weights=None).eval()
    network.load_state_dict(state)
    seen: list[torch.Tensor] = []
    network.fc.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    file = sorted((root / "val" / "n02138441").iterdir())[1]
    way = torchvision_models.ResNet50_Weights[version].transforms()
    with torch.no_grad():
        logits = network(way(Image.open(file).convert("RGB"))[None])
    listed = [p for s in SYNSETS for p in sorted((root / "val" / s).iterdir())]
    row = int(np.flatnonzero(held.indices == listed.index(file))[0])
    assert held.labels[row] == 299
    assert held.predictions[row] == int(logits.argmax())
    assert np.allclose(held.features[row], seen[0][0].numpy(), atol=1e-4 * float(seen[0].abs().max()))


@pytest.mark.slow
def test_inception_v4_from_a_given_file(penviz: Verb, tmp_path: Path) -> None:
    directory = write_imagenet(tmp_path / "imagenet", sorted(SYNSETS), {"val": 1})
    timm = pytest.importorskip("timm")
    file, out = tmp_path / "model.safetensors", tmp_path / "run"
    torch.manual_seed(0)
    save_file(timm.create_model("inception_v4", pretrained=False).state_dict(), file)
    status, _, said = penviz(
        *("extract", file, "--preset", "imagenet-inception-v4", "--dataset", directory, "--out", out),
        *("--split", "validation", "--progress", "none", "--no-thumbnails"),
    )
    assert status == 0, said
    run = read_run(out)
    assert (run.config.targets, run.config.label_smoothing) == ("unknown", None)
    way = run.record["adopted"]["preprocessing"]
    assert (way["size"], way["crop"], way["interpolation"], way["mean"]) == (341, 299, "bicubic", [0.5] * 3)
    assert Activations.load(activations_path(out, "validation")).features.shape == (5, 1536)


def test_the_triples_are_offered_in_the_app(penviz: Verb, triples: Path, small: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    status, _, said = penviz(
        "extract", "--preset", small, "--dataset", triples, "--out", out, "--progress", "none"
    )
    assert status == 0, said
    run = read_run(out)
    rows = [int(c) for c in run.adoption.quick_look]
    assert list(offered(run.class_names, rows).values()) == [(0, 299, 499), (265, 266, 0)]
    assert (out / "thumbnails-validation.webp").is_file()


def test_all_classes_are_calibrated(penviz: Verb, small: str, tmp_path: Path) -> None:
    known = sorted(SYNSETS, key=SYNSETS.__getitem__)
    root = write_imagenet(tmp_path / "imagenet", _sorted_to(known), {"val": 2}, side=8)
    out = tmp_path / "run"
    order = ("extract", "--preset", small, "--all-classes", "--dataset", root, "--out", out)
    status, _, said = penviz(*order, "--progress", "none", "--no-thumbnails")
    assert status == 0, said
    held = Activations.load(activations_path(out, "validation"))
    assert np.bincount(held.labels).tolist() == [2] * 1000
    assert read_run(out).metrics["validation"]["n"] == 2000
    status, out_text, said = penviz("calibrate", out, "--json")
    assert status == 0, said
    assert json.loads(out_text)
    status, _, said = penviz(*order, "--progress", "none")
    assert (status, "not empty" in said) == (2, True)


def _sorted_to(known: list[str]) -> list[str]:
    """A thousand names of folders of which the known ones stand at their rows."""
    names: list[str] = []
    for synset in known:
        start = int(names[-1][1:]) + 1 if names else 0
        missing = SYNSETS[synset] - len(names)
        names += [f"n{start + i:08}" for i in range(missing)] + [synset]
    names += [f"n{int(names[-1][1:]) + 1 + i:08}" for i in range(1000 - len(names))]
    assert names == sorted(names)
    return names


def test_bad_requests_are_one_sentence_and_leave_nothing(
    penviz: Verb, triples: Path, small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise URLError("no network")

    monkeypatch.setattr("torch.hub.urlopen", fail)
    out = tmp_path / "out" / "run"
    empty = write_imagenet(tmp_path / "empty", sorted(SYNSETS), {"train": 1, "val": 0})
    file = tmp_path / "cache" / "other.pth"
    torch.save(torchvision_models.resnet18(weights=None).state_dict(), file)
    wanted = ("--dataset", triples, "--out", out)
    for arguments, words in (
        (("--preset", "imagenet-none", *wanted), "no preset"),
        (("--preset", V1, *wanted), "could not be downloaded"),
        (("--preset", "imagenet-inception-v4", *wanted), "Give the file"),
        ((file, "--preset", small, *wanted), "is not torchvision's IMAGENET1K_V1"),
        (("--preset", small, "--all-classes", *wanted), "5 folders of synsets"),
        (("--preset", V1, "--dataset", tmp_path / "none", "--out", out), "There is no directory"),
        (("--preset", small, "--dataset", tmp_path, "--out", out), "no directory train"),
        (("--preset", small, "--dataset", empty, "--out", out), "holds no images"),
        (("--preset", small, "--split", "test", *wanted), "no split test"),
        (("--preset", small, "--out", out), "--dataset"),
        ((), "Name a run"),
    ):
        status, _, said = penviz("extract", *arguments, "--progress", "none")
        assert (status, said.count("\n")) == (2, 1), said
        assert words in said
    assert not out.parent.exists()
    (triples / "val" / "n01440764").rename(triples / "val" / "gone")
    try:
        with pytest.raises(RunError, match="lacks n01440764"):
            read_imagenet(triples, ("validation",), 36, "bilinear")
    finally:
        (triples / "val" / "gone").rename(triples / "val" / "n01440764")
