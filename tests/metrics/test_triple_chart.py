"""All triples as a chart: values of the one-triple path, and what is marked is what was meant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic import make

from penviz import InputError
from penviz.metrics.tightness.finder import FINDS, find, most_changed, value_words
from penviz.projection.projection import Projection
from penviz.projection.split_statistics import SplitStatistics
from penviz.study import triple_chart as module
from penviz.study.triple_chart import TriplePair, triple_chart


def summaries(n_classes: int = 14) -> tuple[SplitStatistics, SplitStatistics]:
    hard = make(n=40 * n_classes, d=9, n_classes=n_classes, run="hard")
    soft = make(n=40 * n_classes, d=9, n_classes=n_classes, run="soft", noise=0.4, head_seed=5)
    return SplitStatistics.of(hard), SplitStatistics.of(replace(soft, labels=hard.labels))


@pytest.mark.parametrize("bias", [True, False])
def test_200_triples_are_those_of_the_one_triple_path(bias: bool) -> None:
    runs = summaries()
    pair = TriplePair.of(*runs, bias)
    assert len(pair.triples) == pair.n_all == 364
    for at in np.random.default_rng(0).choice(364, 200, replace=False):
        for run, values in zip(runs, (pair.before, pair.after), strict=True):
            order = np.random.default_rng(at).permutation(pair.triples[at]).tolist()
            alone = Projection.of(run.activations, order, bias).clusters.rho_d()
            assert values[at] == pytest.approx(float(alone), rel=1e-9)


def test_rank_is_by_a_plain_count_and_order_of_classes_does_not_matter() -> None:
    pair = TriplePair.of(*summaries(6))
    for at in (0, 7, 19):
        change = pair.after[at] / pair.before[at] - 1
        below = sum(b / a - 1 < change for a, b in zip(pair.before, pair.after, strict=True))
        assert pair.rank(pair.triples[at][::-1].tolist()) == below + 1
    assert pair.at((0, 1, 99)) is None
    assert pair.rank((0, 1, 99)) is None
    assert not pair.sampled


def test_chart_marks_the_chosen_and_the_found(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = summaries(7)
    pair = TriplePair.of(*runs)
    found = most_changed(*runs, 4)
    names = [f"c{k}" for k in range(7)]

    def draw() -> module.Chart:
        return triple_chart(
            pair, names=("hard", "soft"), class_names=names, chosen=(5, 0, 2),
            found=("most changed", found.triples),
        )  # fmt: skip

    cloud, marked, own = draw().series
    assert cloud.name == "all 35 triples"
    assert (len(cloud.x), len(marked.x), len(own.x)) == (35, 4, 1)
    assert own.labels == ("c0, c2, c5",)
    for x, y, triple in zip(marked.x, marked.y, found.triples, strict=True):
        at = pair.at(triple)
        assert (x, y) == (pair.before[at], pair.after[at])
    change = marked.y / marked.x - 1
    np.testing.assert_allclose(change, found.values)
    monkeypatch.setattr(module, "MOST_DRAWN", 10)
    some = draw()
    assert some.series[0].name == "10 of 35 triples"
    assert "sample drawn with seed 0" in some.about
    assert set(zip(some.series[0].x, some.series[0].y, strict=True)) <= set(
        zip(cloud.x, cloud.y, strict=True)
    )
    for one in some.series[1:]:
        assert (np.array([one.x, one.y]) <= some.x_limits[1]).all()  # type: ignore[index]


def test_runs_that_cannot_be_compared_are_one_sentence() -> None:
    hard, soft = summaries(6)
    with pytest.raises(InputError, match="cannot be ranked"):
        TriplePair.of(hard, replace(soft, triples=None))
    with pytest.raises(InputError, match="same classes"):
        TriplePair.of(hard, summaries(7)[1])
    with pytest.raises(InputError, match="between two runs"):
        find("most-changed", [hard])
    with pytest.raises(InputError, match="most-confused, most-alike"):
        find("nicest", [hard, soft])


def test_find_gives_what_its_words_say() -> None:
    hard, soft = summaries(6)
    choosing, judging = (TriplePair.of(*half) for half in zip(hard.halves(), soft.halves(), strict=True))
    size = np.abs(np.log(choosing.after / choosing.before))
    most, least = (find(how, [hard, soft], 3) for how in ("most-changed", "least-changed"))
    for found, order in ((most, (-size).argsort()), (least, size.argsort())):
        at = [choosing.at(triple) for triple in found.triples]
        assert at == order[:3].tolist()
        np.testing.assert_allclose(found.values, judging.after[at] / judging.before[at] - 1)
    assert find("most-confused", [hard, soft]).n_all == 20
    assert len(find("most-alike", [hard], 5).triples) == 5
    assert [value_words(how, 0.5) for how in FINDS] == [
        "50.0 % confused",
        "cosine 0.50",
        "+50.0 %",
        "+50.0 %",
    ]


def test_triples_without_a_width_are_left_out_and_said() -> None:
    hard, soft = summaries(6)
    one_each = [SplitStatistics.of(s.activations.take(np.unique(s.activations.labels, return_index=True)[1]))
                for s in (hard, soft)]  # fmt: skip
    with pytest.raises(InputError, match="more than a point"):
        TriplePair.of(*one_each)
    without = [SplitStatistics.of(s.activations.take(s.activations.labels != 2)) for s in (hard, soft)]
    pair = TriplePair.of(*without)
    assert (len(pair.triples), pair.n_all) == (10, 20)
    assert not pair.sampled
    chart = triple_chart(
        pair, names=("hard", "soft"), class_names=[f"c{k}" for k in range(6)], chosen=(0, 1, 3)
    )
    assert "sample" not in chart.about
    ranking = most_changed(*without)
    assert ranking.among == "10 of 20 triples, the others without a plane or without examples"
    assert most_changed(hard, soft).among == "all 20 triples"
