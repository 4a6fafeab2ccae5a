"""The geometry of all classes against plain loops, scipy and scikit-learn; an error in each is seen."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import references
from scipy import linalg, stats
from sklearn.neighbors import NearestCentroid
from synthetic import make, random_rotation

from penviz.metrics.class_means import with_class_means
from penviz.metrics.collapse.margins import margins
from penviz.metrics.numbers import NUMBERS
from penviz.projection.split_statistics import SplitStatistics
from penviz.store.activations import Activations
from penviz.store.head import Head
from penviz.study import geometry as GEOMETRY_MODULE
from penviz.study import table as TABLE
from penviz.study.geometry import FROM_TABLE, KEYS, NEEDS_ROOM, Geometry, measure_geometry, no_room

RUN = {split: make(0, split=split, n=330, d=9, n_classes=6) for split in ("train", "validation")}
TRIPLE = (5, 0, 2)


def shown(runs: list[dict[str, Activations]]):
    summaries = [{split: SplitStatistics.of(a) for split, a in run.items()} for run in runs]
    table = TABLE.compare(summaries, TRIPLE, label_smoothings=[0.0, 0.1][: len(runs)])
    found = [GEOMETRY_MODULE.measure_geometry(s) for s in summaries]
    return GEOMETRY_MODULE.geometry_table(table, summaries, found)


def class_means(a: Activations) -> list[np.ndarray]:
    return [references.mean(group) for group in references.by_class(a)]


def centred(rows: list[np.ndarray]) -> list[np.ndarray]:
    return [r - references.mean(rows) for r in rows]


def norm(v: np.ndarray) -> float:
    return math.sqrt(references.square(v))


def cosines(rows: list[np.ndarray]) -> list[float]:
    pairs = itertools.combinations(centred(rows), 2)
    return [float(sum(v * w)) / (norm(v) * norm(w)) for v, w in pairs]


def to_simplex(rows: list[np.ndarray]) -> float:
    """The angle between the two Gram matrices as vectors, and the chord that belongs to it."""
    gram = np.array([[sum(v * w) for w in centred(rows)] for v in centred(rows)])
    ideal = np.eye(len(rows)) - 1 / len(rows)
    return math.sqrt(2 - 2 * float((gram * ideal).sum()) / math.sqrt((gram**2).sum() * (ideal**2).sum()))


def vci(a: Activations) -> float:
    """From the covariances of the classes, all of one weight, by scipy's inverse."""
    within = sum(np.cov(np.array(g).T, bias=True) for g in references.by_class(a)) / 6
    between = np.cov(np.array(class_means(a)).T, bias=True)
    return 1 - float(np.trace(linalg.inv(within + between) @ between)) / 5


def boundary_distance(a: Activations, row: int) -> float:
    """How far the features must move until another class draws level with the own one, in a loop."""
    w, z, y = a.head.weight.astype(np.float64), a.logits()[row], int(a.labels[row])
    return min((z[y] - z[j]) / norm(w[y] - w[j]) for j in range(6) if j != y)


def reference(key: str, split: str) -> float:
    a = RUN[split]
    means, w = class_means(a), [row.astype(np.float64) for row in a.head.weight]
    x = a.features.astype(np.float64)
    if key.startswith(("means_", "templates_")):
        rows = means if key.startswith("means_") else w
        return {
            "equinorm": lambda: stats.variation([norm(r) for r in centred(rows)]),
            "equiangular": lambda: float(np.std(cosines(rows))),
            "angle": lambda: sum(abs(c + 1 / 5) for c in cosines(rows)) / 15,
            "etf": lambda: to_simplex(rows),
        }[key.partition("_")[2]]()
    both = list(zip(centred(means), centred(w), strict=True))
    traces = [sum(references.square(v) for v in rows) for rows in (centred(means), centred(w))]
    values = {
        "nc1": lambda: references.nc1(a),
        "cdnv": lambda: references.cdnv(a),
        "nc1_trace": lambda: (
            sum(
                sum(references.square(v - m) for v in g)
                for g, m in zip(references.by_class(a), means, strict=True)
            )
            / len(a)
            / (traces[0] / 6)
        ),
        "vci": lambda: vci(a),
        "nc3": lambda: 2 - 2 * sum(float(sum(m * t)) for m, t in both) / math.sqrt(traces[0] * traces[1]),
        "alignment": lambda: sum(float(sum(m * t)) / norm(m) / norm(t) for m, t in both) / 6,
        "nc4": lambda: float(
            np.mean(
                NearestCentroid().fit(RUN["train"].features, RUN["train"].labels).predict(x) != a.predictions
            )
        ),
        "feature_norm": lambda: sum(norm(v) for v in x) / len(x),
        "centred_norm": lambda: sum(norm(m) for m in centred(means)) / 6,
        "weight_norm": lambda: sum(norm(t) for t in w) / 6,
        "feature_rank": lambda: math.exp(stats.entropy(linalg.svdvals(x - x.mean(axis=0)))),
        "mean_rank": lambda: math.exp(stats.entropy(linalg.svdvals(np.array(centred(means)))[:5])),
        "margin": lambda: sum(own - max(wrong) for own, wrong in references.wrong_logits(a)) / len(a),
        "geometric_margin": lambda: sum(boundary_distance(a, i) for i in range(len(a))) / len(a),
    }
    return float(values[key]())


def check(key: str) -> None:
    values = shown([RUN]).row(key).values[0]
    for split in ("train", "validation"):
        assert values[split] == pytest.approx(reference(key, split), rel=1e-7, abs=1e-12), split


@pytest.mark.parametrize("key", KEYS)
def test_number_is_that_of_its_definition(key: str) -> None:
    check(key)


@pytest.mark.parametrize("key", KEYS)
def test_reference_sees_an_error(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a millionth part, whatever it comes from."""
    measure, derive = GEOMETRY_MODULE.measure_geometry, TABLE._run_values

    def wrong(splits: dict[str, SplitStatistics]) -> dict[str, Geometry]:
        return {
            name: replace(g, values={**g.values, key: (1 + 1e-6) * g.values.get(key, 0)})
            for name, g in measure(splits).items()
        }

    def off(splits: dict[str, dict[str, float | None]]) -> None:
        derive(splits)
        for own in splits.values():
            own[key] *= 1 + 1e-6

    if key in FROM_TABLE:
        monkeypatch.setattr(TABLE, "_run_values", off)
    else:
        monkeypatch.setattr(GEOMETRY_MODULE, "measure_geometry", wrong)
    with pytest.raises(AssertionError):
        check(key)


def own_means(splits: dict[str, SplitStatistics]) -> dict[str, Geometry]:
    """The rule of NC4 takes the class means of the split itself."""
    return {name: Geometry.of(summary, summary) for name, summary in splits.items()}


def means_for_templates(splits: dict[str, SplitStatistics]) -> dict[str, Geometry]:
    whats = ("equinorm", "equiangular", "angle", "etf")
    return {
        name: replace(g, values={**g.values, **{f"templates_{w}": g.values[f"means_{w}"] for w in whats}})
        for name, g in measure_geometry(splits).items()
    }


@pytest.mark.parametrize(
    ("key", "wrong"),
    [("nc4", own_means), *((key, means_for_templates) for key in KEYS if key.startswith("templates_"))],
)
def test_numbers_of_other_vectors_are_seen(key: str, wrong, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GEOMETRY_MODULE, "measure_geometry", wrong)
    with pytest.raises(AssertionError):
        check(key)


def test_every_number_says_what_it_means() -> None:
    words = NUMBERS
    assert len({n.key for n in words}) == len({n.label for n in words}) == len(words)
    assert all(n.meaning and "\n" not in n.meaning for n in NUMBERS)


def test_numbers_are_free_of_scale_where_they_say_so() -> None:
    """All features times 4 and the head divided by 4, in powers of two: the logits are the same."""
    scaled = {
        s: replace(a, features=4 * a.features, head=Head(a.head.weight / 4, a.head.bias))
        for s, a in RUN.items()
    }
    before, after = shown([RUN]), shown([scaled])
    for row, other in zip(before.rows, after.rows, strict=True):
        factor = other.values[0]["train"] / row.values[0]["train"]
        assert (factor == pytest.approx(1, rel=1e-9)) == row.number.scale_free, row.number.key
        if not row.number.scale_free:
            assert factor == pytest.approx(0.25 if row.number.unit == "weight units" else 4)


def test_vci_ignores_every_linear_map_and_nc1_does_not() -> None:
    rng = np.random.default_rng(1)
    stretch = random_rotation(9) @ np.diag(rng.uniform(0.2, 5, size=9))
    a = RUN["train"]
    mapped = SplitStatistics.of(replace(a, features=a.features.astype(np.float64) @ stretch))
    plain = Geometry.of(SplitStatistics.of(a)).values["vci"]
    assert Geometry.of(mapped).values["vci"] == pytest.approx(plain, rel=1e-5)
    assert mapped.numbers["nc1"] != pytest.approx(SplitStatistics.of(a).numbers["nc1"], rel=0.15)


def test_vci_of_classes_of_one_size_takes_the_pooled_scatter() -> None:
    a = RUN["train"]
    kept = np.concatenate([np.flatnonzero(a.labels == k)[:20] for k in range(6)])
    even = a.take(kept)
    assert Geometry.of(SplitStatistics.of(even)).values["vci"] == pytest.approx(vci(even), rel=1e-9)


def test_margins_of_one_example_by_hand() -> None:
    """Templates (1, 0), (-1, 0), (0, 1): from (3, 1) the boundary of the first and third is the diagonal."""
    head = Head(np.array([[1.0, 0], [-1, 0], [0, 1]]))
    x, y = np.array([[3.0, 1], [0.5, 2]], np.float32), np.array([0, 0])
    a = Activations(x, y, np.array([0, 2]), np.arange(2), tuple("abc"), "r", "train", head)
    margin, geometric = margins(a)
    assert margin.tolist() == [2, -1.5]
    assert geometric == pytest.approx([2 / math.sqrt(2), -1.5 / math.sqrt(2)])
    assert (margin > 0).tolist() == (a.labels == a.predictions).tolist()


def test_equal_templates_have_no_boundary() -> None:
    head = Head(np.array([[1.0, 0], [1.0, 0], [0, 1]]))
    a = Activations(
        np.array([[3.0, 1]], np.float32),
        np.array([0]),
        np.array([0]),
        np.arange(1),
        tuple("abc"),
        "r",
        "train",
        head,
    )
    margin, geometric = margins(a)
    assert (margin[0], geometric[0]) == (0, pytest.approx(math.sqrt(2)))
    same = replace(a, head=Head(np.ones((3, 2))))
    assert np.isnan(margins(same)[1]).all()


def test_too_few_dimensions_are_said() -> None:
    room = shown([RUN])
    assert not any(row.note for row in room.rows if row.number.key != "nc1")
    tight = [{s: make(0, split=s, n=300, d=5, n_classes=7) for s in ("train", "validation")}]
    table = shown(tight)
    assert {row.number.key for row in table.rows if row.note == "0 is out of reach"} == set(NEEDS_ROOM)
    found = [measure_geometry({s: SplitStatistics.of(a) for s, a in tight[0].items()})]
    assert no_room(found).startswith("A regular simplex of 7 classes needs 6 dimensions and features have 5:")
    assert no_room([measure_geometry({s: SplitStatistics.of(a) for s, a in RUN.items()})]) == ""
    # Six dimensions are enough for seven classes, five are not.
    enough = make(0, n=300, d=6, n_classes=7)
    assert no_room([measure_geometry({"train": SplitStatistics.of(enough)})]) == ""


def test_intervals_stand_where_a_number_is_a_mean_over_examples_only() -> None:
    other = {s: make(0, split=s, n=330, d=9, n_classes=6, noise=1.4, run="other") for s in RUN}
    table = shown([RUN, other])
    honest = {"nc4", "feature_norm", "margin", "geometric_margin"}
    for row in table.rows:
        for split in ("train", "validation"):
            change = row.changes[split]
            a, b = (values[split] for values in row.values)
            assert change.value == pytest.approx(b / a - 1 if row.number.relative else b - a), row.number.key
            assert (change.low is not None) == (row.number.key in honest), row.number.key
            if change.low is not None:
                assert change.low < change.value < change.high


def test_interval_of_the_margin_is_that_of_paired_differences() -> None:
    other = {s: make(0, split=s, n=330, d=9, n_classes=6, noise=1.4, run="other") for s in RUN}
    change = shown([RUN, other]).row("margin").changes["train"]
    gaps = [own - max(wrong) for own, wrong in references.wrong_logits(RUN["train"])]
    others = [own - max(wrong) for own, wrong in references.wrong_logits(other["train"])]
    low, high = stats.norm.interval(
        0.95, np.mean(others) - np.mean(gaps), stats.sem(np.array(others) - np.array(gaps))
    )
    assert (change.low, change.high) == pytest.approx((low, high))


def test_a_network_without_a_head_has_no_templates() -> None:
    bare = with_class_means({s: replace(a, head=None) for s, a in RUN.items()})
    table = shown([bare])
    missing = {row.number.key for row in table.rows if row.values[0]["train"] is None}
    templates = {f"templates_{what}" for what in ("equinorm", "equiangular", "angle", "etf")}
    assert missing == templates | {"nc3", "alignment", "weight_norm", "margin", "geometric_margin"}


def test_some_classes_only_need_the_full_pass() -> None:
    kept = {s: replace(a.take(np.isin(a.labels, TRIPLE)), partial=True) for s, a in RUN.items()}
    table = shown([kept])
    for row in table.rows:
        assert row.values[0] == {"train": None, "validation": None}
        assert row.pending == (True,), row.number.key


def test_without_all_of_train_there_is_no_nc4() -> None:
    """The rule is of the class means of train: those of validation would be too kind to validation."""
    train, validation = (SplitStatistics.of(RUN[split]) for split in ("train", "validation"))
    some = SplitStatistics.of(replace(RUN["train"].take(np.isin(RUN["train"].labels, TRIPLE)), partial=True))
    for splits in ({"validation": validation}, {"train": some, "validation": validation}):
        found = measure_geometry(splits)["validation"]
        assert found.values["nc4"] is None
        assert "nc4" not in found.terms
        assert found.values["nc3"] is not None
    whole = measure_geometry({"train": train, "validation": validation})
    assert all(g.values["nc4"] is not None for g in whole.values())
    assert measure_geometry({"train": train})["train"].values["nc4"] == whole["train"].values["nc4"]
