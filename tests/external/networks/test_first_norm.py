"""The first batch norm proves the preprocessing; without one, ties are settled by accuracy and then NLL."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from foreign_networks import coloured_digits
from torch import nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

from penviz.external.evidence import accuracy, candidates, input_proof
from penviz.external.evidence.first_norm import entering_moments, first_norm, kl
from penviz.external.evidence.input_proof import prove_input, solve
from penviz.external.evidence.preprocessing import Preprocessing
from penviz.external.evidence.set_up_table import SetUpTable
from penviz.external.evidence.ties import settle
from penviz.external.networks import variants
from penviz.external.networks.variants import Variant

WAYS = [Preprocessing(**way) for way in candidates._scalings(3, 10)]


@pytest.fixture(scope="module")
def pictures() -> tuple[Any, Any]:
    return coloured_digits()


def remembering(way: Preprocessing, images: Any, padded: str = "") -> nn.Module:
    """A network whose batch norm has seen images fed one way, with random weights."""
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(16, momentum=None)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        norm,
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )
    rng = np.random.default_rng(5)
    with torch.no_grad():
        for start in range(0, len(images), 100):
            batch = images[start : start + 100]
            if padded:
                wide = np.pad(batch, ((0, 0), (2, 2), (2, 2), (0, 0)))
                corners = rng.integers(0, 5, (len(batch), 2))
                batch = np.stack(
                    [one[y : y + 16, x : x + 16] for one, (y, x) in zip(wide, corners, strict=True)]
                )
            network.train()(way.apply(batch))
    return network.eval()


def test_kl_is_that_of_two_normals() -> None:
    m, v, running_m, running_v = np.random.default_rng(0).uniform(0.2, 2, (4, 7))
    ours = kl(m, v, running_m, running_v)
    p, q = (Normal(torch.tensor(a), torch.tensor(b).sqrt()) for a, b in ((m, v), (running_m, running_v)))
    assert ours == pytest.approx(kl_divergence(p, q).numpy())


@pytest.mark.parametrize("number", [0, 2, 3, 6])
def test_each_way_is_proved(number: int, pictures: Any) -> None:
    way, images = WAYS[number], pictures[0]
    found = prove_input(remembering(way, images[:900]), WAYS, images[900:])
    assert found is not None
    assert found.proved[0] == way
    assert {tie.scaling for tie in found.proved} == {way.scaling}  # few images may not tell RGB from BGR
    assert {tie.std for tie in found.proved} == {way.std}
    assert found.fits[-1].low > 1
    assert f"'{way.describe()}'" in found.sentence


def test_padding_with_black_is_seen(pictures: Any) -> None:
    way, images = WAYS[0], pictures[0]
    found = prove_input(remembering(way, images[:900], "black"), WAYS, images[900:])
    assert found is not None
    assert (found.proved[0], found.fits[0].padding) == (way, "black")


def test_ways_that_images_cannot_tell_are_ties(pictures: Any) -> None:
    """1/128 in place of 1/127.5: the same but for half a per cent."""
    almost = Preprocessing("1/128", scaling="0..255", mean=(128.0,) * 3, std=(128.0,) * 3)
    way = Preprocessing("-1..1", scaling="-1..1")
    found = prove_input(remembering(way, pictures[0][:900]), [*WAYS, almost], pictures[0][900:])
    assert found is not None
    assert set(found.proved) == {way, almost}
    assert "cannot tell it from" in found.sentence


def test_constants_of_ones_own_are_solved_for(pictures: Any) -> None:
    own = Preprocessing("own", mean=(0.1, 0.42, 0.3), std=(0.6, 0.12, 0.35))
    images = pictures[0]
    network = remembering(own, images[:900])
    found = prove_input(network, WAYS, images[900:])
    assert found is not None
    assert found.proved == ()
    assert "no known input fits" in found.sentence
    solved = solve(network, WAYS[0], "", images[900:1300])
    assert solved is not None
    assert solved.mean == pytest.approx(own.mean, abs=0.03)
    assert solved.std == pytest.approx(own.std, rel=0.05)
    again = prove_input(network, [solved, *WAYS], images[900:])
    assert again is not None
    assert again.proved == (solved,)


def test_hopeless_ways_are_tried_on_few_images(pictures: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enlarged images cost many times as much; they get no more of it than it takes to rule them out."""
    images = pictures[0][900:]
    shown: dict[Preprocessing, list[int]] = {}

    def counting(network: Any, norm: Any, way: Preprocessing, batch: Any, padding: str) -> Any:
        shown.setdefault(way, []).append(len(batch))
        return entering_moments(network, norm, way, batch, padding)

    monkeypatch.setattr(input_proof, "entering_moments", counting)
    large = [replace(way, name=f"{way.name}, enlarged", size=48, crop=48) for way in WAYS]
    found = prove_input(remembering(WAYS[0], pictures[0][:900]), [*WAYS, *large], images)
    assert found is not None
    assert (found.proved[0], found.n) == (WAYS[0], len(images))
    tried_once = [sum(sizes) for sizes in shown.values() if len(sizes) == 1]
    assert len(shown) == 2 * len(WAYS)
    assert len(tried_once) >= len(WAYS)
    assert max(tried_once) <= input_proof.FEW
    assert max(shown[WAYS[0]]) == len(images)


def test_without_batch_norm_nothing_is_proved(pictures: Any) -> None:
    images = pictures[0][:300]
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10)
    ).eval()
    assert prove_input(network, WAYS, images) is None
    forgetful = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)).eval()
    assert first_norm(forgetful, WAYS[0].apply(images[:2])) is None


def test_the_scale_of_logits_settles_what_accuracy_cannot(pictures: Any) -> None:
    """Without a bias the scale of the pixels changes no prediction: accuracy is equal and NLL is not."""
    images, labels = pictures
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 256, 10, bias=False))
    optimizer = torch.optim.Adam(network.parameters(), 0.003)
    way, wrong = Preprocessing("0..1"), Preprocessing("0..255", scaling="0..255")
    x, y = way.apply(images[:1000]), torch.from_numpy(labels[:1000])
    for _ in range(30):
        optimizer.zero_grad()
        F.cross_entropy(network(x), y).backward()
        optimizer.step()
    network.eval()
    few, some = images[1000:1512], labels[1000:1512]
    rows = [accuracy.measure_setup(network, each, Variant(), few, some) for each in (wrong, way)]
    assert rows[0].accuracy == rows[1].accuracy
    left, lost, said = settle(network, rows, images[1000:], labels[1000:], 10.0)
    assert [row.preprocessing for row in left] == [way]
    assert [row.preprocessing for row in lost] == [wrong]
    assert "at a plausible temperature leaves 1" in said
    found = accuracy.check(
        SetUpTable(network, few, some),
        [wrong, way],
        variants.plausible(network, x[:2]),
        whole=(images[1000:], labels[1000:]),
    )
    assert found.best.preprocessing == way
    assert found.close == ()  # the other fits at no plausible temperature
