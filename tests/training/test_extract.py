from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from boundary_check import ALL, TRIPLES, check, forward, winners
from PIL import Image

from penviz.projection.build_panel import build_panel
from penviz.projection.panel_options import PanelOptions
from penviz.projection.plane import Plane, boundary_sides
from penviz.store.activations import Activations
from penviz.store.head import Head
from penviz.store.run_config import RunError
from penviz.store.runs import MODEL_FILE, RUN_FILE, Run, activations_path, read_run, thumbnails_path
from penviz.training import checkpoints, evaluate, extract, models
from penviz.training.data_set import DataSet
from penviz.training.extract import first_of_each_class, write_sprite
from penviz.training.split_files import ExtractOptions

SPLITS = ("train", "validation")


@pytest.fixture(scope="module")
def extracted(hard_run: Run, digits: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A copy of the finished run, with the activations of all its examples."""
    out = tmp_path_factory.mktemp("extracted") / "hard"
    shutil.copytree(hard_run.directory, out)
    written = extract.extract(read_run(out), digits, ExtractOptions(per_class=0, device="cpu"))
    assert written == [activations_path(out, split) for split in SPLITS]
    return read_run(out)


def loaded(run: Run, split: str) -> Activations:
    return Activations.load(activations_path(run.directory, split))


def copied(run: Run, place: Path) -> Run:
    shutil.copytree(run.directory, place / "copy")
    return read_run(place / "copy")


def test_features_are_those_of_a_plain_forward_pass(extracted: Run, digits: DataSet) -> None:
    network = checkpoints.load_network(extracted)
    for name in SPLITS:
        split, a = digits.splits[name], loaded(extracted, name)
        features, logits = forward(network, split.images, extracted.config.crop)
        scale = np.abs(features).max()
        assert np.abs(a.features - features).max() < 1e-5 * scale
        assert a.head is not None
        derived = a.logits()
        assert np.abs(derived - logits).max() < 1e-5 * np.abs(logits).max()
        assert np.array_equal(a.predictions, logits.argmax(1))
        assert np.array_equal(a.predictions, derived.argmax(1))
        assert np.array_equal(a.head.weight, network.head.weight.detach().numpy())
        # a head without its bias gives other logits
        assert np.abs(Head(a.head.weight).logits(a.features) - logits).max() > 1e-3
        accuracy = float((a.predictions == split.labels).mean())
        assert accuracy == pytest.approx(extracted.metrics[name]["accuracy"], abs=1e-9)
        assert accuracy > 0.9


def test_a_network_in_training_mode_is_run_in_evaluation_mode(digits: DataSet) -> None:
    """Batch norm by its running statistics; the mode is put back afterwards."""
    network = models.build("resnet20", (1, 8, 8), 10)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                assert module.running_mean is not None
                module.running_mean.uniform_(-0.5, 0.5, generator=torch.Generator().manual_seed(0))
    split = dataclasses.replace(
        digits.splits["validation"],
        images=digits.splits["validation"].images[:90],
        labels=digits.splits["validation"].labels[:90],
    )
    expected, logits = forward(network, split.images, 0)
    network.train()
    got, _ = evaluate.features_and_predictions(network, split, 0, batch=40)
    scores = evaluate.evaluate(network, split, 0)
    assert network.training
    assert np.abs(got - expected).max() < 1e-4 * np.abs(expected).max()
    assert scores["accuracy"] == pytest.approx((logits.argmax(1) == split.labels).mean())
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    nll = -np.log(shifted[np.arange(90), split.labels] / shifted.sum(1))
    assert scores["nll"] == pytest.approx(float(nll.mean()), rel=1e-4)


def test_order_and_provenance(extracted: Run, digits: DataSet) -> None:
    for name in SPLITS:
        split, a = digits.splits[name], loaded(extracted, name)
        assert np.array_equal(a.indices, split.indices)
        assert np.array_equal(a.labels, split.labels)
        assert np.array_equal(a.hashes, split.hashes)
        assert a.dataset_id == split.dataset_id
        assert a.checkpoint_sha256 == extracted.model_sha256
        assert (a.run, a.split, a.class_names) == ("hard", name, digits.class_names)
        assert a.features.dtype == np.float32
        assert a.class_totals().tolist() == np.bincount(split.labels).tolist()


def test_the_first_of_each_class() -> None:
    labels = np.random.default_rng(0).integers(0, 4, 60)
    for per_class in (1, 5, 100):
        count, expected = [0] * 4, []
        for row, label in enumerate(labels):
            if count[label] < per_class:
                expected.append(row)
            count[label] += 1
        assert first_of_each_class(labels, per_class).tolist() == expected
    assert first_of_each_class(labels, 0).tolist() == list(range(60))


def test_a_sample_a_class(extracted: Run, digits: DataSet, tmp_path: Path) -> None:
    run, told = copied(extracted, tmp_path), []
    whole = {name: loaded(run, name) for name in SPLITS}
    extract.extract(
        run,
        digits,
        ExtractOptions(per_class=7, thumbnail_quality=0, device="cpu"),
        report=lambda *a: told.append(a),
    )
    a = loaded(run, "train")
    assert np.bincount(a.labels).tolist() == [7] * 10
    rows = first_of_each_class(whole["train"].labels, 7)
    assert np.array_equal(a.indices, whole["train"].indices[rows])
    assert np.abs(a.features - whole["train"].features[rows]).max() < 1e-4
    assert a.class_totals().tolist() == np.bincount(digits.splits["train"].labels).tolist()
    assert len(loaded(run, "validation")) == 360  # validation is always whole
    assert told == [("train", 70, 70), ("validation", 360, 360)]


def tiles(run: Run, split: str) -> list[np.ndarray]:
    layout = run.record["thumbnails"][split]
    sprite = np.asarray(Image.open(thumbnails_path(run.directory, split)).convert("RGB"), float)
    side, columns = layout["side"], layout["columns"]
    return [sprite[i // columns * side :, i % columns * side :][:side, :side] for i in range(layout["count"])]


def test_thumbnails_look_like_their_images(extracted: Run, digits: DataSet) -> None:
    for name in SPLITS:
        images = digits.splits[name].images.astype(float)
        got = tiles(extracted, name)
        assert len(got) == len(images)
        errors = [np.abs(t - image).mean() for t, image in zip(got, images, strict=True)]
        shifted = [np.abs(t - image).mean() for t, image in zip(got[1:], images, strict=False)]
        assert np.mean(errors) < 20 < 40 < np.mean(shifted)
        assert extracted.record["thumbnails"][name]["checkpoint_sha256"] == extracted.model_sha256


@pytest.mark.parametrize(
    ("n", "height", "width", "channels"), [(7, 20, 20, 3), (230, 28, 28, 1), (3, 60, 90, 3)]
)
def test_sprites_of_other_shapes(n: int, height: int, width: int, channels: int, tmp_path: Path) -> None:
    levels = np.linspace(0, 255, n).astype(np.uint8)
    images = np.broadcast_to(levels[:, None, None, None], (n, height, width, channels)).copy()
    layout = write_sprite(tmp_path / "s.webp", images, 80)
    side, columns = layout["side"], layout["columns"]
    assert (layout["count"], side, columns) == (n, min(48, max(height, width)), min(100, n))
    sprite = np.asarray(Image.open(tmp_path / "s.webp").convert("RGB"), float)
    assert sprite.shape == (-(-n // columns) * side, columns * side, 3)
    for i, level in enumerate(levels):
        tile = sprite[i // columns * side :, i % columns * side :][:side, :side]
        assert abs(tile.mean() - level) < 6
    assert [p.name for p in tmp_path.iterdir()] == ["s.webp"]


def test_too_many_thumbnails_are_refused(tmp_path: Path) -> None:
    images = np.broadcast_to(np.uint8(0), (341 * 341 + 1, 48, 48, 1))
    with pytest.raises(RunError, match="do not fit one sprite"):
        write_sprite(tmp_path / "s.webp", images, 60)
    assert list(tmp_path.iterdir()) == []


def listing(directory: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in directory.iterdir()}


def test_other_data_are_refused(hard_run: Run, digits: DataSet, tmp_path: Path) -> None:
    run = copied(hard_run, tmp_path)
    before = listing(run.directory)
    other = dataclasses.replace(
        digits,
        splits=digits.splits
        | {"validation": dataclasses.replace(digits.splits["validation"], dataset_id="x")},
    )
    with pytest.raises(RunError, match="trained on other data"):
        extract.extract(run, other, ExtractOptions(device="cpu"))
    with pytest.raises(RunError, match="no split test; it has train, validation"):
        extract.extract(run, digits, ExtractOptions(splits=("train", "test"), device="cpu"))
    assert listing(run.directory) == before


def test_another_model_file_is_refused(hard_run: Run, digits: DataSet, tmp_path: Path) -> None:
    run = copied(hard_run, tmp_path)
    path = run.directory / MODEL_FILE
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(bytes(raw))
    with pytest.raises(RunError, match=r"not the file that run\.json describes"):
        extract.extract(run, digits, ExtractOptions(device="cpu"))
    path.unlink()
    with pytest.raises(RunError, match="The weights of copy are not here"):
        extract.extract(run, digits, ExtractOptions(device="cpu"))
    with pytest.raises(RunError, match=r"no model\.safetensors yet"):
        extract.extract(dataclasses.replace(run, model_sha256=""), digits, ExtractOptions(device="cpu"))
    assert sorted(listing(run.directory)) == [RUN_FILE]


def test_a_model_of_another_network_is_refused(hard_run: Run, digits: DataSet, tmp_path: Path) -> None:
    run = copied(hard_run, tmp_path)
    record = json.loads((run.directory / RUN_FILE).read_text())
    record["config"]["model"] = "fc800"
    (run.directory / RUN_FILE).write_text(json.dumps(record))
    with pytest.raises(RunError, match="does not fit the network fc800"):
        extract.extract(read_run(run.directory), digits, ExtractOptions(device="cpu"))
    del record["image_shape"]
    (run.directory / RUN_FILE).write_text(json.dumps(record))
    with pytest.raises(RunError, match="no usable image_shape"):
        extract.extract(read_run(run.directory), digits, ExtractOptions(device="cpu"))


def test_a_failure_leaves_nothing_behind(
    hard_run: Run, digits: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copied(hard_run, tmp_path)
    before = listing(run.directory)

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez_compressed", full)
        with pytest.raises(OSError, match="No space left"):
            extract.extract(run, digits, ExtractOptions(thumbnail_quality=0, device="cpu"))
    assert listing(run.directory) == before
    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", full)
        with pytest.raises(OSError, match="No space left"):
            extract.extract(run, digits, ExtractOptions(device="cpu"))
    assert listing(run.directory) == before


def test_a_stale_file_is_marked_by_its_hash(extracted: Run, soft_run: Run) -> None:
    assert loaded(extracted, "train").checkpoint_sha256 == extracted.model_sha256 != soft_run.model_sha256


def test_extraction_is_the_same_twice(extracted: Run, digits: DataSet, tmp_path: Path) -> None:
    run = copied(extracted, tmp_path)
    torch.manual_seed(99)
    extract.extract(run, digits, ExtractOptions(per_class=0, device="cpu"))
    for name in SPLITS:
        assert np.array_equal(loaded(run, name).features, loaded(extracted, name).features)
        assert thumbnails_path(run.directory, name).read_bytes() == (
            thumbnails_path(extracted.directory, name).read_bytes()
        )


# The plane of a trained network.


@pytest.mark.parametrize("split", SPLITS)
def test_sides_of_the_lines_are_those_of_the_network(split: str, extracted: Run, digits: DataSet) -> None:
    findings = check(extracted, digits.splits[split], loaded(extracted, split))
    assert [(f.triple, f.bias) for f in findings] == [(t, b) for t in TRIPLES for b in (True, False)]
    for f in findings:
        assert f.wrong == 0
        assert f.drawn_wrong == 0
        assert f.identity < 1e-10
        if split == "train":  # enough examples that some lie within 1 % of every line
            assert f.moved_wrong > 0
            assert f.holds


def test_the_check_sees_a_plane_that_is_not_the_networks(extracted: Run, digits: DataSet) -> None:
    a = loaded(extracted, "validation")
    assert a.head is not None
    assert a.head.bias is not None
    spoilt = {
        "another bias": Head(a.head.weight, a.head.bias + np.linspace(-0.3, 0.3, 10, dtype=np.float32)),
        "another template": Head(
            a.head.weight * np.linspace(1, 1.1, 10, dtype=np.float32)[:, None], a.head.bias
        ),
    }
    for head in spoilt.values():
        findings = check(
            extracted, digits.splits["validation"], dataclasses.replace(a, head=head), ((0, 1, 2),)
        )
        assert not any(f.holds for f in findings)
        assert all(f.identity > 1e-3 for f in findings)


def test_a_span_of_templates_and_pca_is_another_picture(extracted: Run) -> None:
    """The linear span of three templates holds no lines that part the classes by their logits."""
    a = loaded(extracted, "train")
    assert a.head is not None
    triple = (0, 1, 2)
    expected = winners(a.logits(), triple)
    keep = np.isin(a.labels, triple)
    q, _ = np.linalg.qr(a.head.templates(False)[list(triple)].T)
    span = a.features.astype(float) @ q
    centred = span - span[keep].mean(0)
    axes = np.linalg.svd(centred[keep], full_matrices=False)[2][:2]
    flat = np.column_stack([centred @ axes.T, np.ones(len(a))])
    plane = Plane.of_head(a.head, triple, bias=False)
    exact = np.column_stack([plane.project(a.features), np.ones(len(a))])
    z = a.logits()
    target = np.stack([z[:, 1] - z[:, 0], z[:, 2] - z[:, 0]], axis=1)

    def residual(x: np.ndarray) -> float:
        fit = x @ np.linalg.lstsq(x, target, rcond=None)[0]
        return float(np.abs(fit - target).max())

    assert residual(exact) < 1e-9
    assert residual(flat) > 0.1
    panel = build_panel(a, triple, PanelOptions(ALL, bias=False))
    assert np.array_equal(boundary_sides(panel.boundaries, panel.xy), expected[panel.rows])


def test_old_thumbnails_go_where_other_examples_are_stored(
    extracted: Run, digits: DataSet, tmp_path: Path
) -> None:
    """A sprite of five a class beside ten a class would show another image in most tiles."""
    run = copied(extracted, tmp_path)
    extract.extract(run, digits, ExtractOptions(splits=("train",), per_class=5, device="cpu"))
    run = read_run(run.directory)
    assert run.record["thumbnails"]["train"]["count"] == 50
    assert extract.is_extracted(run, ["train"], 5, thumbnails=True)
    extract.extract(
        run, digits, ExtractOptions(splits=("train",), per_class=10, thumbnail_quality=0, device="cpu")
    )
    run = read_run(run.directory)
    assert "train" not in run.record["thumbnails"]
    assert not (run.directory / "thumbnails-train.webp").exists()
    assert extract.is_extracted(run, ["train"], 10)
    assert not extract.is_extracted(run, ["train"], 10, thumbnails=True)
    assert not extract.is_extracted(run, ["train"], 11)
    assert not extract.is_extracted(dataclasses.replace(run, model_sha256="f" * 64), ["train"], 10)
