"""The analytic anchors: cases whose answer is known without data, each with an error that it sees.

Some have more thorough tests elsewhere (`test_plane`, `test_logits`, `test_collapse`, `test_information`,
`test_temperature`, `test_calibration`); here each has its name, its tolerance and a fault that makes it fail.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from faults import Fault, Planted, each_is_seen
from synthetic import make

from penviz.metrics import information as INFORMATION
from penviz.metrics import logits as LOGITS
from penviz.metrics import target_vectors as TARGETS
from penviz.metrics.calibration import reliability as RELIABILITY
from penviz.metrics.calibration import temperature as TEMPERATURE
from penviz.metrics.collapse import collapse as COLLAPSE
from penviz.metrics.collapse import moments as MOMENTS
from penviz.metrics.collapse import simplex as SIMPLEX
from penviz.metrics.target_vectors import Targets
from penviz.metrics.tightness import tightness as TIGHTNESS
from penviz.projection import plane as PLANE
from penviz.store.activations import Activations


def planes(a: Activations, triple: tuple[int, int, int] = (1, 4, 2)):
    return [(PLANE.Plane.of_head(a.head, triple, bias), bias) for bias in (True, False)]


def logit_differences_are_exact_to_1e_10() -> None:
    """[z_b - z_a, z_c - z_a] is a linear image of the coordinates, however far off the plane."""
    a = make(1, d=40, n=300)
    far = a.features.astype(np.float64) * 30
    z = far @ a.head.weight.astype(np.float64).T + a.head.bias.astype(np.float64)
    for plane, _ in planes(a):
        assert plane.off_plane(far).min() > 5
        error = plane.logit_differences(plane.project(far)) - (z[:, [4, 2]] - z[:, [1]])
        assert np.abs(error).max() <= 1e-10


def projector_is_idempotent_and_basis_orthonormal() -> None:
    for plane, _ in planes(make(2, d=12)):
        q = plane.basis.T
        assert np.abs(q.T @ q - np.eye(2)).max() <= 1e-12
        assert np.abs(q @ q.T @ q @ q.T - q @ q.T).max() <= 1e-12


def distances_ignore_the_order_of_classes() -> None:
    a = make(3, d=12)
    pictures = [
        PLANE.Plane.of_head(a.head, order).project(a.features) for order in itertools.permutations((1, 4, 2))
    ]
    for xy in pictures[1:]:
        for at in (0, 17, 80):
            there, here = xy - xy[at], pictures[0] - pictures[0][at]
            assert np.abs(np.linalg.norm(there, axis=1) - np.linalg.norm(here, axis=1)).max() <= 1e-10


def distances_ignore_the_choice_of_templates() -> None:
    """Any two differences of the three templates, and those from their centre, span the same plane."""
    a = make(3, d=12)
    for plane, bias in planes(a):
        t = a.head.templates(bias)[[1, 4, 2]]
        x = np.column_stack([a.features, np.ones(len(a))]) if bias else a.features.astype(np.float64)
        for pair in (t[[1, 2]] - t[0], t[[0, 2]] - t[1], t[:2] - t.mean(axis=0)):
            flat = x @ np.linalg.pinv(pair) @ pair
            xy = plane.project(a.features)
            there, here = np.linalg.norm(xy - xy[0], axis=1), np.linalg.norm(flat - flat[0], axis=1)
            assert np.abs(there - here).max() <= 1e-10


def span_with_pca_is_not_the_affine_plane() -> None:
    """Features vary most along an axis that all templates share: PCA keeps it, no gap needs it."""
    w = np.array([[4.0, 0, 1, 0], [4, 0, -1, 0], [4, 1, 0, 0]])
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4)) * [9, 1, 2, 1]
    span = np.linalg.qr(w.T)[0]
    inside = (x - x.mean(axis=0)) @ span
    pca = inside @ np.linalg.svd(inside, full_matrices=False)[2][:2].T
    z = x @ w.T
    gaps = z[:, 1:] - z[:, :1]

    def missed(xy: np.ndarray) -> float:
        design = np.column_stack([xy, np.ones(len(xy))])
        return float(np.abs(gaps - design @ np.linalg.lstsq(design, gaps, rcond=None)[0]).max())

    plane = PLANE.Plane.through(w)
    assert missed(plane.project(x)) <= 1e-10
    assert missed(pca) > 1
    assert abs(float(plane.basis @ [1, 0, 0, 0] @ [1, 1])) <= 1e-12


def optimal_gap_and_loss_floor() -> None:
    gaps = {(10, 0.1): 4.511, (100, 0.05): 7.550, (100, 0.1): 6.804, (1000, 0.1): 9.105}
    floors = {(10, 0.1): 0.5003, (100, 0.05): 0.4245, (100, 0.1): 0.7778, (100, 0.3): 1.9731}
    for (n_classes, alpha), gap in gaps.items():
        assert TARGETS.optimal_gaps(Targets.of(alpha), n_classes)[0] == pytest.approx(gap, abs=5e-4)
    for (n_classes, alpha), floor in floors.items():
        assert TARGETS.least_loss(Targets.of(alpha), n_classes) == pytest.approx(floor, abs=5e-5)
        at_optimum = torch.zeros(1, n_classes, dtype=torch.float64)
        at_optimum[0, 0] = TARGETS.optimal_gaps(Targets.of(alpha), n_classes)[0]
        loss = torch.nn.functional.cross_entropy(at_optimum, torch.tensor([0]), label_smoothing=alpha)
        assert TARGETS.least_loss(Targets.of(alpha), n_classes) == pytest.approx(float(loss), abs=1e-12)
    assert TARGETS.optimal_gaps(Targets.of(0), 10)[0] == math.inf
    assert TARGETS.least_loss(Targets.of(0), 10) == 0


def smoothing_over_the_others_converts_to_smoothing_over_all() -> None:
    """epsilon over the K - 1 others is epsilon K / (K - 1) over all K."""
    for n_classes, expected in ((2, 0.2), (10, 0.1111), (100, 0.10101), (1000, 0.1001)):
        converted = 0.1 * n_classes / (n_classes - 1)
        assert converted == pytest.approx(expected, abs=5e-5)
        over_others = [0.9] + [0.1 / (n_classes - 1)] * (n_classes - 1)
        row = TARGETS.target_vectors(Targets.of(converted), n_classes, [0])[0]
        assert np.abs(row - over_others).max() <= 1e-15
    # towards one half is smoothing over two classes
    assert TARGETS.target_vectors(Targets.of(0.1), 2, [0])[0].tolist() == pytest.approx([0.95, 0.05])


def soft_target_cross_entropy_is_torchs() -> None:
    generator = torch.Generator().manual_seed(0)
    for n_classes, alpha in itertools.product((2, 10, 100), (0.0, 0.05, 0.1, 0.6)):
        z = 6 * torch.randn(50, n_classes, dtype=torch.float64, generator=generator)
        y = torch.randint(n_classes, (50,), generator=generator)
        q = TARGETS.target_vectors(Targets.of(alpha), n_classes)[y.numpy()]
        ours = float(-(torch.from_numpy(q) * torch.log_softmax(z, 1)).sum(1).mean())
        torchs = float(torch.nn.functional.cross_entropy(z, y, label_smoothing=alpha))
        assert abs(ours - torchs) <= 1e-12
        if alpha == 0:
            assert abs(float(LOGITS.LogitNumbers.of(z, y).nll.mean()) - torchs) <= 1e-12


def accuracy_does_not_depend_on_the_temperature() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(500, 10)) * 4
    y = (z + rng.normal(size=z.shape) * 4).argmax(axis=1)
    accuracies = [(TEMPERATURE.softmax(z, t).argmax(axis=1) == y).mean() for t in (0.05, 0.5, 1, 2, 30)]
    assert accuracies == [(z.argmax(axis=1) == y).mean()] * 5


def r_squared_shortcut_is_brute_force() -> None:
    a = make(4, n=90, d=6, n_classes=5)
    x = a.features.astype(np.float64)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    groups = [unit[a.labels == k] for k in range(5)]
    apart = [[np.mean([1 - float(p @ q) for p in g for q in h]) for h in groups] for g in groups]
    brute = 1 - np.mean(np.diag(apart)) / np.mean(apart)
    moments = MOMENTS.Moments.of(a.features, a.labels, 5)
    assert TIGHTNESS.class_separation(moments) == pytest.approx(brute, rel=1e-10)


def nc1_of_isotropic_clusters() -> None:
    """sigma² tr(S_B^+) / K for many examples, d above K - 1 and below it."""
    rng = np.random.default_rng(0)
    for d, n_classes, sigma in ((8, 4, 0.7), (3, 6, 0.4)):
        means = rng.normal(size=(n_classes, d)) * 5
        y = np.repeat(np.arange(n_classes), 20_000)
        moments = MOMENTS.Moments.of(means[y] + sigma * rng.normal(size=(len(y), d)), y, n_classes)
        between = np.cov(means.T, bias=True)
        value, rank = COLLAPSE.nc1(moments)
        assert rank == min(d, n_classes - 1)
        expected = sigma**2 * np.trace(np.linalg.pinv(between, rcond=1e-9)) / n_classes
        assert value == pytest.approx(expected, rel=0.02)
        assert value != pytest.approx(rank / n_classes, rel=0.5)  # S_B in the place of S_W gives its rank


def simplex_means_have_no_nc2() -> None:
    for n_classes in (2, 5, 10):
        corners = np.eye(n_classes) * 3 + 7
        found = SIMPLEX.Simplex.of(corners)
        assert [found.equinorm, found.equiangular, found.angle, found.etf] == pytest.approx(
            [0] * 4, abs=1e-10
        )
        centred = corners - corners.mean(axis=0)
        cosine = centred[0] @ centred[1] / np.linalg.norm(centred[0]) / np.linalg.norm(centred[1])
        assert cosine == pytest.approx(-1 / (n_classes - 1))


def two_tight_clusters_leave_one_bit() -> None:
    mean = np.repeat([-3.0, 3.0], 300)
    fresh = mean + 0.01 * np.random.default_rng(0).normal(size=600)
    found = INFORMATION.mutual_information(fresh, mean)
    assert found == pytest.approx(math.log(2), abs=1e-6)


def formula_as_printed_is_a_constant() -> None:
    """One index for both sums, e = (y - mu)² / (2 s²): mean of -e - ln mean exp(-e), always the same."""
    rng = np.random.default_rng(1)
    for mean in (np.repeat([-3.0, 3.0], 2000), rng.uniform(-50, 50, size=4000)):
        y = mean + 0.3 * rng.normal(size=4000)
        e = (y - mean) ** 2 / (2 * ((y - mean) ** 2).mean())
        literal = float((-e - math.log(np.exp(-e).mean())).mean())
        assert literal == pytest.approx((math.log(2) - 1) / 2, abs=0.01)
        assert literal == pytest.approx(-0.153, abs=0.01)
        assert INFORMATION.mutual_information(y, mean) > 0.6


def gamma_of_known_teachers() -> None:
    for n_classes in (2, 10):
        y = np.arange(40) % n_classes
        gamma = INFORMATION.equivalent_smoothing
        assert gamma(np.full((40, n_classes), 1 / n_classes), y) == pytest.approx(1, abs=1e-12)
        assert gamma(np.eye(n_classes)[y], y) == 0


def confidences_on_the_edges_of_bins() -> None:
    """Right-closed: an edge belongs to the bin below it, 1 to the last bin, 0 to the first."""
    reliability = RELIABILITY.reliability
    edges = np.arange(16) / 15
    assert reliability(edges, np.ones(16)).counts.tolist() == [2] + [1] * 14
    above = np.nextafter(edges[:-1], 2)
    assert reliability(above, np.ones(15)).counts.tolist() == [1] * 15
    assert reliability([1.0, 1 - 1e-9], [1, 0]).counts[-1] == 2
    assert RELIABILITY.ece([0.95, 1.0], [True, False]) == pytest.approx(0.475)
    assert RELIABILITY.ece([0.0], [True]) == 1


def planes_with(of: Callable[..., dict[str, object]]) -> Fault:
    """Other fields of a plane, from it and the arguments that it was made of."""

    def fault(through: Callable) -> Callable:
        def wrong(t: np.ndarray, b: np.ndarray | None = None) -> PLANE.Plane:
            return replace(found := through(t, b), **of(found, np.zeros(3) if b is None else b))

        return staticmethod(wrong)

    return fault


def planes_through(of: Callable[[np.ndarray], np.ndarray]) -> Fault:
    """A plane through other templates."""
    return lambda through: staticmethod(lambda t, b=None: through(of(np.asarray(t, np.float64)), b))


def over_the_others(of: Callable) -> Callable:
    """Label smoothing with a / (K - 1) in place of a / K."""

    def wrong(targets: Targets, k: int, classes: Sequence[int] | None = None) -> np.ndarray:
        return of(targets, k, classes) + targets.label_smoothing * (1 / (k - 1) - 1 / k)

    return wrong


def left_closed(bins: Callable) -> Callable:
    """Bins closed on the left."""
    return lambda values, n: (
        bins(values, n)[0],
        np.minimum(np.searchsorted(np.linspace(0, 1, n + 1), values, side="right") - 1, n - 1),
    )


def as_printed(_: Callable) -> Callable:
    def wrong(y: np.ndarray, mean: np.ndarray) -> float:
        e = (y - mean) ** 2 / (2 * ((y - mean) ** 2).mean())
        return float((-e - math.log(np.exp(-e).mean())).mean())

    return wrong


THROUGH, VECTORS = (PLANE.Plane, "through"), (TARGETS, "target_vectors")
ANCHORS: list[Planted] = [
    (logit_differences_are_exact_to_1e_10, *THROUGH, planes_with(lambda plane, b: {"offset": b[1:] - b[0]})),
    (
        projector_is_idempotent_and_basis_orthonormal,
        *THROUGH,
        planes_with(lambda plane, b: {"basis": 1.001 * plane.basis}),
    ),
    (
        distances_ignore_the_order_of_classes,
        *THROUGH,
        planes_with(lambda plane, b: {"basis": plane.basis * [[1.0], [2.0]]}),
    ),
    (distances_ignore_the_choice_of_templates, *THROUGH, planes_through(np.square)),
    (
        span_with_pca_is_not_the_affine_plane,
        *THROUGH,
        planes_through(lambda t: np.vstack([0 * t[:1], t[1:]])),
    ),
    (optimal_gap_and_loss_floor, *VECTORS, over_the_others),
    (smoothing_over_the_others_converts_to_smoothing_over_all, *VECTORS, over_the_others),
    (soft_target_cross_entropy_is_torchs, *VECTORS, over_the_others),
    (
        accuracy_does_not_depend_on_the_temperature,
        TEMPERATURE,
        "softmax",
        lambda of: lambda z, t: of(z, t - 0.1),
    ),
    (
        r_squared_shortcut_is_brute_force,
        TIGHTNESS,
        "class_separation",
        lambda of: lambda moments: of(moments) + 1e-9,
    ),
    (
        nc1_of_isotropic_clusters,
        COLLAPSE,
        "nc1",
        lambda of: lambda moments: (of(moments)[1] / len(moments.count), of(moments)[1]),
    ),
    (
        simplex_means_have_no_nc2,
        SIMPLEX,
        "_etf",
        lambda of: lambda m: of(m) + 1 / math.sqrt(len(m)),
    ),
    (
        two_tight_clusters_leave_one_bit,
        INFORMATION,
        "mutual_information",
        lambda of: lambda y, mean: of(y, mean) - math.log(len(y)),
    ),
    (formula_as_printed_is_a_constant, INFORMATION, "mutual_information", as_printed),
    (
        gamma_of_known_teachers,
        INFORMATION,
        "equivalent_smoothing",
        lambda of: lambda p, y: of(p, y) * (len(p[0]) - 1) / len(p[0]),
    ),
    (confidences_on_the_edges_of_bins, RELIABILITY, "equal_width_bins", left_closed),
]


@pytest.mark.parametrize("anchor", [a[0] for a in ANCHORS], ids=lambda a: a.__name__)
def test_anchor(anchor: Callable[[], None]) -> None:
    anchor()


test_an_error_is_seen = each_is_seen({planted[0].__name__: planted for planted in ANCHORS})
