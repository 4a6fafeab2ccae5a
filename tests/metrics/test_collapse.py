"""Neural collapse where the answer is known, and against plain loops, scikit-learn and scipy elsewhere."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from faults import Fault, Planted, each_is_seen
from scipy import stats
from sklearn.neighbors import NearestCentroid
from synthetic import make, random_rotation

from penviz.metrics.collapse import collapse as COLLAPSE
from penviz.metrics.collapse import simplex as SIMPLEX
from penviz.metrics.collapse.collapse import Collapse, nc1, vci
from penviz.metrics.collapse.moments import Moments
from penviz.metrics.collapse.simplex import Simplex, attainable, effective_rank, nc3, nc4_terms, nearest_means
from penviz.metrics.numbers import BY_KEY
from penviz.store import head as HEAD
from penviz.store.activations import Activations
from penviz.store.head import Head

A = make(3, n=200, d=9, n_classes=6)
X, Y = A.features.astype(np.float64), A.labels
W = A.head.weight.astype(np.float64)
MOMENTS = Moments.of(X, Y, 6)
MEANS = [sum(x for x, y in zip(X, Y, strict=True) if y == k) / list(Y).count(k) for k in range(6)]


def regular_simplex(n_classes: int, d: int) -> np.ndarray:
    """K points in d >= K dimensions, all distances equal, turned and shifted."""
    return (np.eye(n_classes, d) * 3) @ random_rotation(d) + 5


def centred(rows: list[np.ndarray]) -> list[np.ndarray]:
    middle = sum(rows) / len(rows)
    return [r - middle for r in rows]


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(sum(a * b) / math.sqrt(sum(a * a) * sum(b * b)))


def check_simplex_is_zero() -> None:
    found = SIMPLEX.Simplex.of(regular_simplex(5, 8))
    assert (found.equinorm, found.equiangular, found.angle, found.etf) == pytest.approx(
        (0, 0, 0, 0), abs=1e-12
    )
    assert found.attainable
    # one dimension fewer than classes is enough
    flat = np.linalg.svd(regular_simplex(5, 8) - regular_simplex(5, 8).mean(axis=0))[0][:, :4]
    assert SIMPLEX.Simplex.of(flat).etf == pytest.approx(0, abs=1e-12)


def test_a_regular_simplex_has_collapsed() -> None:
    check_simplex_is_zero()


def check_simplex_by_loops() -> None:
    found = SIMPLEX.Simplex.of(MEANS)
    m = centred(MEANS)
    norms = [math.sqrt(sum(v * v)) for v in m]
    cosines = [cosine(a, b) for a, b in itertools.combinations(m, 2)]
    assert found.equinorm == pytest.approx(stats.variation(norms), rel=1e-10)
    assert found.equiangular == pytest.approx(np.std(cosines), rel=1e-10)
    assert found.angle == pytest.approx(sum(abs(c + 1 / 5) for c in cosines) / 15, rel=1e-10)
    gram = [[float(sum(a * b)) for b in m] for a in m]
    size = math.sqrt(sum(v * v for row in gram for v in row))
    far = [(gram[i][j] / size - ((i == j) - 1 / 6) / math.sqrt(5)) ** 2 for i in range(6) for j in range(6)]
    assert found.etf == pytest.approx(math.sqrt(sum(far)), rel=1e-10)


def test_simplex_by_loops() -> None:
    check_simplex_by_loops()


@pytest.mark.parametrize("n_classes", [2, 3, 10, 100])
def test_the_farthest_from_a_simplex_is_a_line(n_classes: int) -> None:
    rng = np.random.default_rng(0)
    most = math.sqrt(2 - 2 / math.sqrt(n_classes - 1))
    assert BY_KEY["means_etf"].meaning.endswith("0 to sqrt(2 - 2 / sqrt(K - 1))")
    assert Simplex.of(rng.normal(size=(n_classes, 1))).etf == pytest.approx(most, abs=1e-12)
    for width in (2, n_classes):
        sizes = rng.exponential(size=(200, n_classes, 1)) ** 3
        found = [Simplex.of(size * rng.normal(size=(n_classes, width))).etf for size in sizes]
        assert max(found) <= most + 1e-12
        assert n_classes == 2 or max(found) > most / 2


def check_attainable() -> None:
    assert SIMPLEX.attainable(64, 10)
    assert SIMPLEX.attainable(99, 100)
    assert not SIMPLEX.attainable(64, 100)  # the usual ResNet-56 on CIFAR-100
    assert not SIMPLEX.Simplex.of(np.random.default_rng(0).normal(size=(100, 64))).attainable


def test_a_simplex_needs_room() -> None:
    check_attainable()
    # nothing in too few dimensions has NC2 = 0: 8 points of a circle are as regular as points get
    turn = 2 * np.pi * np.arange(8) / 8
    assert Simplex.of(np.column_stack([np.cos(turn), np.sin(turn)])).etf > 0.5


def check_nc3() -> None:
    m, w = np.array(centred(MEANS)), np.array(centred(list(W)))
    angle = (m * w).sum() / math.sqrt((m**2).sum() * (w**2).sum())
    assert SIMPLEX.nc3(MEANS, W) == pytest.approx(2 - 2 * angle, rel=1e-10)
    assert SIMPLEX.nc3(MEANS, 4 * np.array(MEANS) + 3) == pytest.approx(0, abs=1e-12)
    assert SIMPLEX.nc3(MEANS, -np.array(MEANS)) == pytest.approx(4)
    expected = [cosine(a, b) for a, b in zip(m, w, strict=True)]
    assert SIMPLEX.alignment(MEANS, W) == pytest.approx(expected, rel=1e-10)


def test_self_duality() -> None:
    check_nc3()
    assert math.isnan(nc3(np.ones((3, 2)), W[:3, :2]))


def check_nc4() -> None:
    nearest = NearestCentroid().fit(X, Y).predict(X)
    np.testing.assert_array_equal(SIMPLEX.nearest_means(X, MEANS), nearest)
    np.testing.assert_array_equal(SIMPLEX.nc4_terms(X, A.predictions, MEANS), nearest != A.predictions)
    assert 0 < SIMPLEX.nc4_terms(X, A.predictions, MEANS).mean() < 0.5
    gone = np.array(MEANS)
    gone[2] = np.nan
    fewer = NearestCentroid().fit(X[Y != 2], Y[Y != 2]).predict(X)
    np.testing.assert_array_equal(SIMPLEX.nearest_means(X, gone), fewer)


def test_nearest_mean_rule() -> None:
    check_nc4()


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = nearest_means(X, MEANS)
    monkeypatch.setattr(HEAD, "BLOCK", 50)
    np.testing.assert_array_equal(nearest_means(X, MEANS), whole)


def check_ranks() -> None:
    singular = np.linalg.svd(X - X.mean(axis=0), compute_uv=False)
    expected = math.exp(stats.entropy(singular))
    assert SIMPLEX.feature_rank(MOMENTS) == pytest.approx(expected, rel=1e-8)
    singular = np.linalg.svd(np.array(centred(MEANS)), compute_uv=False)
    assert SIMPLEX.mean_rank(MOMENTS) == pytest.approx(math.exp(stats.entropy(singular)), rel=1e-8)
    assert SIMPLEX.effective_rank([2.0, 2, 2, 0]) == pytest.approx(3)
    assert SIMPLEX.effective_rank([9.0, 0]) == pytest.approx(1)
    means = Moments.of(regular_simplex(5, 8), np.arange(5), 5)
    assert SIMPLEX.mean_rank(means) == pytest.approx(4, rel=1e-6)
    assert SIMPLEX.mean_norm(X) == pytest.approx(sum(math.sqrt(sum(x * x)) for x in X) / len(X))


def test_effective_ranks() -> None:
    check_ranks()
    assert effective_rank([0.0, 0]) == 0


def check_isotropic() -> None:
    """Gaussian clusters of width s about known means: NC1 -> s² tr(S_B^+) / K, the ratio s² d / tr S_B."""
    rng = np.random.default_rng(0)
    means, s = rng.normal(size=(4, 6)) * 5, 0.7
    y = np.repeat(np.arange(4), 20_000)
    m = Moments.of(means[y] + s * rng.normal(size=(len(y), 6)), y, 4)
    between = np.cov(means.T, bias=True)
    expected = s**2 * np.trace(np.linalg.pinv(between, rcond=1e-9)) / 4
    value, rank = COLLAPSE.nc1(m)
    assert (value, rank) == (pytest.approx(expected, rel=0.02), 3)
    assert COLLAPSE.nc1_trace(m) == pytest.approx(s**2 * 6 / np.trace(between), rel=0.02)


def test_isotropic_clusters() -> None:
    check_isotropic()


def test_inverse_is_truncated_where_classes_are_more_than_dimensions() -> None:
    a = make(3, n=400, d=3, n_classes=9)
    assert nc1(Moments.of(a.features, a.labels, 9))[1] == 3
    flat = a.features.copy()
    flat[:, 2] = 1  # a dimension that no class uses: numerical rank 2
    assert nc1(Moments.of(flat, a.labels, 9))[1] == 2


def check_collapse() -> None:
    own = COLLAPSE.Collapse.of(A)
    assert own.means.etf == pytest.approx(Simplex.of(MEANS).etf)
    assert own.templates == Simplex.of(W)
    assert own.nc3 == pytest.approx(nc3(MEANS, W))
    assert own.alignment == pytest.approx(
        np.mean([cosine(a, b) for a, b in zip(centred(MEANS), centred(list(W)), strict=True)])
    )
    assert own.weight_norm == pytest.approx(np.mean([math.sqrt(sum(w * w)) for w in W]))
    assert own.feature_norm == pytest.approx(np.mean([math.sqrt(sum(x * x)) for x in X]))
    within = sum(sum((x - MEANS[y]) ** 2) for x, y in zip(X, Y, strict=True)) / len(X)
    assert own.nc1_trace == pytest.approx(within / (sum(sum(m * m) for m in centred(MEANS)) / 6))


def test_all_numbers_of_a_run() -> None:
    check_collapse()


def test_a_collapsed_network() -> None:
    """Features at the corners of a simplex, the head aligned with them: every number is at its end."""
    corners = regular_simplex(4, 6)
    y = np.arange(40) % 4
    head = Head(2 * corners)
    made = Activations(corners[y], y, y, np.arange(40), tuple("abcd"), "r", "train", head)
    found = Collapse.of(made)
    assert nc1(Moments.of(made.features, y, 4))[0] == pytest.approx(0, abs=1e-9)
    assert found.nc1_trace == pytest.approx(0, abs=1e-9)
    assert found.means.etf == pytest.approx(0, abs=1e-6)
    assert found.nc3 == pytest.approx(0, abs=1e-9)
    assert found.alignment == pytest.approx(1)
    assert not nc4_terms(made.features, y, corners).any()
    assert found.mean_rank == pytest.approx(3, rel=1e-5)


def test_missing_classes_and_heads() -> None:
    fewer = A.take(A.labels != 2)
    found = Collapse.of(fewer)
    kept = [k for k in range(6) if k != 2]
    assert found.nc3 == pytest.approx(nc3([MEANS[k] for k in kept], W[kept]))
    assert np.isfinite([found.nc1_trace, found.vci, found.means.etf]).all()
    bare = Activations(A.features, Y, A.predictions, A.indices, A.class_names, "r", "train")
    assert (Collapse.of(bare).nc3, Collapse.of(bare).templates) == (None, None)
    with pytest.raises(ValueError, match="two classes or more"):
        Collapse.of(A.take(A.labels == 1))
    assert not attainable(64, 100)


def simplex(**of: Callable[[Simplex, np.ndarray], float]) -> Fault:
    """Other numbers of a simplex, from what was found and the vectors as they came."""
    return lambda make: staticmethod(
        lambda m: replace(found := make(m), **{key: value(found, np.asarray(m)) for key, value in of.items()})
    )


def all_cosines(m: np.ndarray) -> list[float]:
    rows = centred(list(m))
    return [cosine(a, b) for i, a in enumerate(rows) for b in rows[i:]]


def unweighted_rank(_: Callable) -> Callable:
    def wrong(moments: Moments) -> float:
        mean = moments.mean - moments.count @ moments.mean / moments.count.sum()
        return effective_rank(np.sqrt(np.linalg.eigvalsh(moments.within + mean.T @ mean)))

    return wrong


def one_number(key: str) -> Fault:
    """One of the numbers of a run is off."""
    return lambda of: staticmethod(lambda a: replace(found := of(a), **{key: 1.00001 * getattr(found, key)}))


MAKE = (Simplex, "of")
MUTANTS: dict[str, Planted] = {
    "a simplex of K": (check_simplex_is_zero, *MAKE, simplex(etf=lambda found, m: found.etf + 1e-9)),
    "vectors about 0": (
        check_simplex_is_zero,
        *MAKE,
        simplex(equinorm=lambda found, m: stats.variation(np.linalg.norm(m, axis=1))),
    ),
    "the deviation of a sample": (
        check_simplex_by_loops,
        *MAKE,
        simplex(equinorm=lambda found, m: found.equinorm * math.sqrt(len(m) / (len(m) - 1))),
    ),
    "an angle of K": (
        check_simplex_by_loops,
        *MAKE,
        simplex(angle=lambda found, m: np.mean([abs(cosine(*pair) + 1 / 6) for pair in pairs(m)])),
    ),
    "vectors against themselves": (
        check_simplex_by_loops,
        *MAKE,
        simplex(equiangular=lambda found, m: np.std(all_cosines(m))),
    ),
    "a distance off": (check_simplex_by_loops, *MAKE, simplex(etf=lambda found, m: found.etf * (1 + 1e-9))),
    "one dimension too many": (check_attainable, SIMPLEX, "attainable", lambda _: lambda d, k: d > k - 1),
    "templates about 0": (
        check_nc3,
        SIMPLEX,
        "alignment",
        lambda _: lambda m, w: [cosine(*pair) for pair in zip(centred(list(m)), w, strict=True)],
    ),
    "a mean of squares": (check_nc3, SIMPLEX, "nc3", lambda of: lambda m, w: of(m, w) / np.size(w)),
    "the largest product": (
        check_nc4,
        SIMPLEX,
        "nearest_means",
        lambda _: lambda x, m: (x @ np.nan_to_num(m).T).argmax(axis=1),
    ),
    "rows of those that are left": (
        check_nc4,
        SIMPLEX,
        "nearest_means",
        lambda of: lambda x, m: of(x, np.asarray(m)[np.isfinite(m).all(axis=1)]),
    ),
    "a rank of squares": (
        check_ranks,
        SIMPLEX,
        "effective_rank",
        lambda of: lambda s: of(np.square(s)),
    ),
    "classes of one weight": (check_ranks, SIMPLEX, "feature_rank", unweighted_rank),
    "a scatter that is not divided": (
        check_isotropic,
        COLLAPSE,
        "nc1",
        lambda of: lambda m: (of(m)[0] / len(m.count), of(m)[1]),
    ),
    "a trace that is not divided": (
        check_isotropic,
        COLLAPSE,
        "nc1_trace",
        lambda of: lambda m: of(m) / len(m.count),
    ),
} | {
    f"{key} is off": (check_collapse, Collapse, "of", one_number(key))
    for key in ("nc3", "alignment", "weight_norm", "feature_norm", "nc1_trace")
}


def pairs(m: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(itertools.combinations(centred(list(m)), 2))


test_an_error_is_seen = each_is_seen(MUTANTS)


def test_rounding_of_a_collapsed_vci_is_zero() -> None:
    features = np.repeat(np.random.default_rng(0).normal(size=(5, 40)), 30, axis=0)
    labels = np.repeat(np.arange(5), 30)
    a = Activations(features, labels, labels, np.arange(150), tuple("abcde"), "run", "train", None, "made")
    assert vci(a, Moments.of(features, labels, 5)) == 0
