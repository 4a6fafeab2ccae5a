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

from penviz.external.evidence import accuracy, candidates, head, label_order, scored_set_up, set_up_table
from penviz.external.evidence.preprocessing import IMAGENET, Preprocessing
from penviz.external.evidence.set_up_table import SetUpTable
from penviz.external.networks import variants, weights
from penviz.external.networks.variants import Variant
from penviz.store.run_config import RunError

RIGHT = Preprocessing("ImageNet mean and std", mean=IMAGENET[0], std=IMAGENET[1])
N_TRAIN = 1200


@pytest.fixture(scope="module")
def pictures() -> tuple[Any, Any]:
    images, labels = coloured_digits()
    return images, labels


@pytest.fixture(scope="module")
def trained(pictures: tuple[Any, Any]) -> nn.Module:
    """A network of stride 1, mean pooling and ReLU, trained on ImageNet-normalised RGB."""
    torch.manual_seed(0)
    return fitted(small_body(), pictures)


def fitted(network: nn.Module, pictures: tuple[Any, Any], epochs: int = 24) -> nn.Module:
    """A network, trained on ImageNet-normalised RGB."""
    torch.set_num_threads(1)
    network.train()
    x, y = RIGHT.apply(pictures[0][:N_TRAIN]), torch.from_numpy(pictures[1][:N_TRAIN])
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
    predictions = scored_set_up.scores_of(trained, RIGHT, images).argmax(1).numpy()
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
        for way in candidates._scalings(3, 10)
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
        found = accuracy.check(SetUpTable(network, images, labels), ways, bodies)
        close = [found.best, *found.undecided]
        assert (RIGHT.name, body) in [(row.preprocessing.name, row.variant) for row in close]
        assert found.best.accuracy > 0.85
        with variants.varied(network, body, RIGHT.apply(images[:2])), torch.no_grad():
            x = RIGHT.apply(images[:16])
            assert torch.allclose(network(x), trained(x), atol=1e-5)


def test_a_permuted_order_is_told_by_folder(trained: nn.Module, pictures: tuple[Any, Any]) -> None:
    images, labels = held_out(pictures)
    ways = [RIGHT, Preprocessing("0..255", scaling="0..255")]
    found = accuracy.check(SetUpTable(trained, images, swapped(labels)), ways, [Variant()])
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
    found = accuracy.check(SetUpTable(small_body().eval(), images, labels), [RIGHT], [Variant()])
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
    ways = [Preprocessing(channels=3, **way) for way in candidates._scalings(3, 10)]
    found = accuracy.check(SetUpTable(trained, images, labels, 1e-6), ways, [Variant()])
    assert found.untried > 0
    assert len(found.rows) >= 1


def test_too_few_outputs_are_refused(trained: nn.Module, pictures: tuple[Any, Any]) -> None:
    images, labels = held_out(pictures)
    with pytest.raises(RunError, match="has 10 outputs, and the data have labels up to 19"):
        accuracy.check(SetUpTable(trained, images, labels + 10), [RIGHT], [Variant()])


def test_the_sample_shares_the_classes_evenly() -> None:
    labels = np.repeat(np.arange(4), (300, 300, 10, 300))
    np.random.default_rng(0).shuffle(labels)
    rows = accuracy.sample(labels, 100)
    assert len(rows) == 100
    assert list(np.diff(rows) > 0) == [True] * 99
    assert sorted(np.bincount(labels[rows])) == [10, 30, 30, 30]


USUAL = Preprocessing("0..1", channels=1)
RECIPE = Preprocessing("recipe of timm", channels=1, scaling="-1..1")
BGR = Preprocessing("BGR, 0..1", channels=1, order="BGR")
LEAKY, MAX = Variant(activation="leaky_relu"), Variant(pooling="max")
Wrong = dict[tuple[Preprocessing, Variant], range]


def planted_check(
    monkeypatch: pytest.MonkeyPatch, wrong: Wrong, given: Any = None, **options: Any
) -> accuracy.Check:
    """The check of set-ups that each have known images wrong, as the next class, and all others right."""
    labels = np.arange(512) % 4
    images = np.arange(512, dtype=np.uint16).view(np.uint8).reshape(512, 1, 1, 2)

    def scores(network: Any, way: Preprocessing, some: Any, variant: Variant | None = None) -> torch.Tensor:
        which = np.ascontiguousarray(some).view(np.uint16).reshape(-1)
        errors = np.isin(which, np.array(wrong[way, variant or Variant()], int))
        return torch.from_numpy(np.eye(4)[(labels[which] + errors) % 4] * 4).float()

    monkeypatch.setattr(set_up_table, "scores_of", scores)
    ways, bodies = (list(dict.fromkeys(setup[i] for setup in wrong)) for i in range(2))
    table = SetUpTable(nn.Identity(), images, labels if given is None else given)
    return accuracy.check(table, ways, bodies, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("as_built", "changed", "decided"),
    [
        (range(100), range(0), True),
        (range(10), range(0), True),  # ten images to none
        (range(4), range(0), False),  # 4 = 2 sqrt(4): not beyond two standard errors
        (range(5), range(0), True),
        (range(45), range(40, 75), False),  # ten images to none as well, but forty to thirty
        (range(45), range(40, 60), True),  # forty to twenty
        (range(20), range(0, 20), False),
        (range(20), range(0, 40), False),
    ],
)
def test_a_changed_body_must_win_clearly(
    monkeypatch: pytest.MonkeyPatch, as_built: range, changed: range, decided: bool
) -> None:
    found = planted_check(monkeypatch, {(USUAL, Variant()): as_built, (USUAL, LEAKY): changed})
    assert found.best.variant == (LEAKY if decided else Variant())
    better, worse = set(as_built) - set(changed), set(changed) - set(as_built)
    apart = abs(len(better) - len(worse)) > 2 * (len(better) + len(worse)) ** 0.5
    assert [row.variant for row in found.undecided] == ([] if apart else [LEAKY])
    assert found.undecided_sentence == (
        "" if apart else
        "Of 2 set-ups tried, 512 images cannot tell 2 apart; of these the plainest is taken."
    )  # fmt: skip
    assert found.to_json()["undecided"] == found.undecided_sentence


def test_the_plainest_of_those_that_are_alike_stands_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """As built before changed, a recipe before other scalings, RGB before BGR, then the more accurate."""
    as_built, odd = Variant(), {(BGR, LEAKY): range(3), (BGR, MAX): range(200)}
    alike: Wrong = {(RECIPE, as_built): range(6), (USUAL, as_built): range(5), (BGR, as_built): range(4)}
    alike |= {(RECIPE, LEAKY): range(2), (USUAL, LEAKY): range(3)} | odd
    alike |= {(RECIPE, MAX): range(300), (USUAL, MAX): range(300)}
    found = planted_check(monkeypatch, alike)
    assert (found.best.preprocessing, found.best.variant) == (RECIPE, as_built)
    assert len(found.undecided) == 5
    assert found.undecided[0] == found.rows[1]  # the most accurate
    assert "cannot tell 6 apart; of these the known recipe is taken." in found.undecided_sentence
    alike[RECIPE, as_built] = range(100)
    assert planted_check(monkeypatch, alike).best.preprocessing == USUAL
    alike[USUAL, as_built] = range(90)
    assert planted_check(monkeypatch, alike).best.preprocessing == BGR
    alike[BGR, as_built] = range(80)
    found = planted_check(monkeypatch, alike)
    assert (found.best.preprocessing, found.best.variant) == (RECIPE, LEAKY)
    assert "of these the most accurate is taken" in found.undecided_sentence


def test_other_pixels_that_lose_by_little_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight images to none decide, yet 1.6 points prove nothing; 2.1 points are counted as a difference."""
    wrong: Wrong = {(USUAL, Variant()): range(0), (RECIPE, Variant()): range(8), (BGR, Variant()): range(11)}
    found = planted_check(monkeypatch, wrong)
    assert (found.best.preprocessing, found.undecided) == (USUAL, ())
    assert [row.preprocessing for row in found.close] == [RECIPE]
    (sentence,) = found.doubts
    assert "Accuracy alone does not rule out 'recipe of timm': within 2 points" in sentence
    assert found.to_json()["undecided"] == sentence
    wrong[BGR, Variant()] = range(9)
    assert "'recipe of timm' and 'BGR, 0..1':" in planted_check(monkeypatch, wrong).close_sentence
    wrong[RECIPE, Variant()] = wrong[BGR, Variant()] = range(20)
    assert planted_check(monkeypatch, wrong).doubts == ()


def test_a_proved_input_has_no_close_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong: Wrong = {(USUAL, Variant()): range(0), (RECIPE, Variant()): range(8)}
    assert planted_check(monkeypatch, wrong).close
    assert not planted_check(monkeypatch, wrong, proved=[USUAL]).close


def test_the_plainest_is_found_under_another_order_of_the_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    turned = (np.arange(512) + 1) % 4
    wrong: Wrong = {(USUAL, Variant()): range(40), (USUAL, LEAKY): range(36)}
    found = planted_check(monkeypatch, wrong, turned)
    assert found.best.variant == Variant()
    assert found.best.permuted > 0.9
    wrong[USUAL, LEAKY] = range(0)
    assert planted_check(monkeypatch, wrong, turned).best.variant == LEAKY


def test_a_leaky_network_is_still_found(pictures: tuple[Any, Any]) -> None:
    """Trained with a slope of 0.1 and built with ReLU: the evidence is clear, and it is taken."""
    images, labels = held_out(pictures)
    torch.manual_seed(0)
    theirs = fitted(small_body(activation=lambda x: F.leaky_relu(x, 0.1)), pictures, epochs=8)
    network = small_body()
    weights.load_strict(network, theirs.state_dict())
    bodies = variants.plausible(network, RIGHT.apply(images[:2]))
    found = accuracy.check(SetUpTable(network, images, labels), [RIGHT], bodies)
    assert found.best.variant == Variant(activation="leaky_relu 0.1")
