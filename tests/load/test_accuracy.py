"""Wrong pixels, bodies and label orders load strictly and prove a head; their accuracy gives them away."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from foreign_networks import coloured_digits, small_body
from torch import nn
from torch.nn import functional as F

from penviz.load import accuracy, head, label_order, preprocessing, variants, weights
from penviz.load.preprocessing import IMAGENET, Preprocessing
from penviz.load.variants import Variant
from penviz.runs import RunError

RIGHT = Preprocessing("ImageNet mean and std", mean=IMAGENET[0], std=IMAGENET[1])
N_TRAIN = 1200


@pytest.fixture(scope="module")
def pictures() -> tuple[Any, Any]:
    images, labels = coloured_digits()
    return images, labels


@pytest.fixture(scope="module")
def trained(pictures: tuple[Any, Any]) -> nn.Module:
    """A network of stride 1, mean pooling and ReLU, trained on ImageNet-normalised RGB."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = small_body().train()
    x, y = RIGHT.apply(pictures[0][:N_TRAIN]), torch.from_numpy(pictures[1][:N_TRAIN])
    epochs = 24
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=epochs * (N_TRAIN // 50))
    for _ in range(epochs):
        for rows in torch.randperm(N_TRAIN).split(50):
            optimizer.zero_grad()
            F.cross_entropy(network(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def held_out(pictures: tuple[Any, Any]) -> tuple[Any, Any]:
    return pictures[0][N_TRAIN : N_TRAIN + 512], pictures[1][N_TRAIN : N_TRAIN + 512]


def plain(network: nn.Module, x: torch.Tensor, y: Any) -> float:
    with torch.no_grad():
        return float((network(x).argmax(1).numpy() == y).mean())


def swapped(labels: Any) -> Any:
    """Folders sorted as text in place of numbers: 1 after 0, 10 before 2; here a rotation of six classes."""
    order = np.array([0, 2, 3, 4, 5, 6, 1, 7, 8, 9])
    return order[labels]


WRONG: dict[str, tuple[Preprocessing, Callable[[], nn.Module], Callable[[Any], Any]]] = {
    "0..1": (Preprocessing("0..1"), small_body, lambda y: y),
    "-1..1, doubled contrast": (
        Preprocessing("-1..1", scaling="-1..1", mean=(0.3,) * 3, std=(0.25,) * 3),
        small_body,
        lambda y: y,
    ),
    "each image standardised": (Preprocessing("image", scaling="per image"), small_body, lambda y: y),
    "BGR": (dataclasses.replace(RIGHT, order="BGR"), small_body, lambda y: y),
    "pooling": (RIGHT, lambda: small_body(pooling="max"), lambda y: y),
    "stride": (RIGHT, lambda: small_body(stride=2), lambda y: y),
    "activation": (RIGHT, lambda: small_body(activation=F.gelu), lambda y: y),
    "label order": (RIGHT, small_body, swapped),
}


def test_the_right_set_up_is_not_flagged(trained: nn.Module, pictures: tuple[Any, Any]) -> None:
    images, labels = held_out(pictures)
    known = plain(trained, RIGHT.apply(images), labels)
    assert known > 0.85
    row = accuracy.measure_setup(trained, RIGHT, Variant(), images, labels)
    assert row.accuracy == pytest.approx(known)
    assert accuracy.expectation_warning(row.accuracy, known, row.n) == ""
    predictions = accuracy.scores_of(trained, RIGHT, images).argmax(1).numpy()
    assert label_order.sentences(predictions, labels, 10) == ()


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_set_up_is_flagged(name: str, trained: nn.Module, pictures: tuple[Any, Any]) -> None:
    images, labels = held_out(pictures)
    known = plain(trained, RIGHT.apply(images), labels)
    way, make, order = WRONG[name]
    network = make()
    weights.load_strict(network, trained.state_dict())  # it loads strictly
    proof = head.prove_head(network, way.apply(images[:8]))
    assert isinstance(proof, head.HeadProof)  # and its head is proved

    row = accuracy.measure_setup(network, way, Variant(), images, order(labels))
    assert abs(known - row.accuracy) > accuracy.POINTS, row.accuracy
    warning = accuracy.expectation_warning(row.accuracy, known, row.n)
    assert f"{100 * row.accuracy:.1f} % on 512 images where {100 * known:.1f} % is expected" in warning


def test_the_check_finds_pixels_and_body(trained: nn.Module, pictures: tuple[Any, Any]) -> None:
    """Built with max pooling and stride 2 it was trained otherwise: the table puts the truth on top."""
    images, labels = held_out(pictures)
    ways = [
        Preprocessing(channels=3, **way)  # the list of `plausible`, at the size of these pictures
        for way in preprocessing._scalings(3, 10)
    ]
    for make, body in (
        (small_body, Variant()),
        (lambda: small_body(pooling="max"), Variant(pooling="mean")),
        (lambda: small_body(stride=2), Variant(stem_stride=1)),
        (lambda: small_body(activation=F.leaky_relu), Variant(activation="relu")),
    ):
        network = make()
        weights.load_strict(network, trained.state_dict())
        bodies = variants.plausible(network, RIGHT.apply(images[:2]))
        found = accuracy.check(network, ways, bodies, images, labels)
        close = [found.best, *found.near()]
        assert (RIGHT.name, body) in [(row.preprocessing.name, row.variant) for row in close]
        assert found.best.accuracy > 0.85
        with variants.varied(network, body, RIGHT.apply(images[:2])), torch.no_grad():
            x = RIGHT.apply(images[:16])
            assert torch.allclose(network(x), trained(x), atol=1e-5)


def test_a_permuted_order_is_told_by_folder(trained: nn.Module, pictures: tuple[Any, Any]) -> None:
    images, labels = held_out(pictures)
    ways = [RIGHT, Preprocessing("0..255", scaling="0..255")]
    found = accuracy.check(trained, ways, [Variant()], images, swapped(labels))
    assert found.best.preprocessing == RIGHT  # by the accuracy that the best order would give
    (sentence,) = found.sentences
    assert sentence.startswith("Your folder order looks different from the training order: folder ")
    folder, output, share = (int(w) for w in sentence.split() if w.isdecimal())
    assert (folder, output) in {(2, 1), (3, 2), (4, 3), (5, 4), (6, 5), (1, 6)}
    assert share > 85


def test_a_swap_of_two_classes_of_ten_is_no_order(trained: nn.Module, pictures: tuple[Any, Any]) -> None:
    """Few images a class can always be assigned to their own errors; halves that agree cannot."""
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 100, 512), rng.integers(0, 100, 512)
    assert label_order.order_sentence(predictions, labels, 100) == ""
    counts = label_order.confusion(labels, predictions, 100)
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(counts, maximize=True)
    assert counts[rows, columns].sum() / 512 > label_order.PERMUTED  # what one half alone would have said
    assert label_order.order_sentence(labels, labels, 100) == ""


def test_chance_is_said(pictures: tuple[Any, Any]) -> None:
    torch.manual_seed(1)
    images, labels = held_out(pictures)
    found = accuracy.check(small_body().eval(), [RIGHT], [Variant()], images, labels)
    assert "near chance (10 %)" in found.sentences[0]
    assert "preprocessing or the order of the classes" in found.sentences[0]


def test_accuracy_and_nll_against_a_plain_loop(trained: nn.Module, pictures: tuple[Any, Any]) -> None:
    images, labels = held_out(pictures)
    row = accuracy.measure_setup(trained, RIGHT, Variant(), images[:100], labels[:100])
    right, nll = 0, 0.0
    for image, label in zip(images[:100], labels[:100], strict=True):
        pixels = image.astype(float) / 255
        pixels = (pixels - np.array(IMAGENET[0])) / np.array(IMAGENET[1])
        x = torch.tensor(pixels.transpose(2, 0, 1)[None], dtype=torch.float32)
        with torch.no_grad():
            z = trained(x)[0].double().numpy()
        right += int(z.argmax() == label)
        nll += np.log(np.exp(z - z.max()).sum()) + z.max() - z[label]
    assert row.accuracy == right / 100
    assert row.nll == pytest.approx(nll / 100, rel=1e-5)
    assert row.n == 100


def test_too_little_time_is_said(trained: nn.Module, pictures: tuple[Any, Any]) -> None:
    images, labels = held_out(pictures)
    ways = [Preprocessing(channels=3, **way) for way in preprocessing._scalings(3, 10)]
    found = accuracy.check(trained, ways, [Variant()], images, labels, seconds=1e-6)
    assert found.untried > 0
    assert len(found.rows) >= 1


def test_too_few_outputs_are_refused(trained: nn.Module, pictures: tuple[Any, Any]) -> None:
    images, labels = held_out(pictures)
    with pytest.raises(RunError, match="has 10 outputs, and the data have labels up to 19"):
        accuracy.check(trained, [RIGHT], [Variant()], images, labels + 10)


def test_the_sample_shares_the_classes_evenly() -> None:
    labels = np.repeat(np.arange(4), (300, 300, 10, 300))
    np.random.default_rng(0).shuffle(labels)
    rows = accuracy.sample(labels, 100)
    assert len(rows) == 100
    assert list(np.diff(rows) > 0) == [True] * 99
    assert sorted(np.bincount(labels[rows])) == [10, 30, 30, 30]


def test_the_known_recipe_wins_a_tie() -> None:
    recipe = Preprocessing("recipe of timm", size=8)
    row = accuracy.Row(RIGHT, Variant(), 0.93, 0.2, 512, 0.93)
    known = dataclasses.replace(row, preprocessing=recipe, accuracy=0.925, permuted=0.925)
    behind = dataclasses.replace(known, accuracy=0.90, permuted=0.90)
    assert accuracy._known_first([row, known], recipe, Variant())[0] is known
    assert accuracy._known_first([row, behind], recipe, Variant())[0] is row
