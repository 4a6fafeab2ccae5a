"""PCA, LDA and span + PCA against scikit-learn, and panels that say what they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from synthetic import make

from penviz import InputError
from penviz.metrics.target_vectors import Targets
from penviz.projection.build_panel import build_grid
from penviz.projection.embedding import LINEAR, LinearMap, embed, embedded, lda, pca, span_pca, turned
from penviz.projection.panel_options import PanelOptions
from penviz.projection.views import VIEWS

CLASSES = (2, 0, 5)


def same_up_to_signs(ours: np.ndarray, theirs: np.ndarray) -> bool:
    signs = np.sign((ours * theirs).sum(axis=0))
    return bool(np.allclose(ours, theirs * signs, atol=1e-6))


def features(seed: int = 0, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    a = make(seed, n=n)
    return a.features.astype(np.float64), a.labels


def test_pca_is_that_of_scikit_learn() -> None:
    x, _ = features()
    other, _ = features(1)
    theirs = PCA(2).fit(x)
    ours = pca(x)
    assert same_up_to_signs(ours.project(other), theirs.transform(other))
    np.testing.assert_allclose(ours.shares, theirs.explained_variance_ratio_, rtol=1e-9)
    uncentred = LinearMap(np.zeros(5), ours.basis, ours.shares)
    assert not same_up_to_signs(uncentred.project(other), theirs.transform(other))


@pytest.mark.parametrize("classes", [(2, 0, 5), tuple(range(7))])
@pytest.mark.parametrize("dead", [False, True])
def test_lda_is_that_of_scikit_learn(classes: tuple[int, ...], dead: bool) -> None:
    x, y = features(n=400)
    if dead:
        x = np.column_stack([x, np.zeros(len(x)), x[:, 0] * 3])
    kept = np.isin(y, classes)
    theirs = LinearDiscriminantAnalysis(n_components=2).fit(x[kept], y[kept])
    ours = lda(x[kept], y[kept])
    assert same_up_to_signs(ours.project(x), theirs.transform(x))
    np.testing.assert_allclose(ours.shares, theirs.explained_variance_ratio_[:2], rtol=1e-6)
    inside = np.concatenate([p - p.mean(axis=0) for p in (ours.project(x[y == k]) for k in classes)])
    np.testing.assert_allclose(inside.T @ inside / len(inside), np.eye(2), atol=1e-9)
    if len(classes) > 3:
        assert not same_up_to_signs(ours.project(x), PCA(2).fit(x[kept]).transform(x))


def test_span_pca_is_gram_schmidt_then_pca() -> None:
    x, _ = features()
    templates = make().head.weight[list(CLASSES)].astype(np.float64)  # type: ignore[union-attr]
    basis: list[np.ndarray] = []
    for row in templates:
        for known in basis:
            row = row - (row @ known) * known
        basis.append(row / np.sqrt(row @ row))
    inside = x @ np.array(basis).T
    theirs = PCA(2).fit(inside)
    ours = span_pca(x, templates)
    assert same_up_to_signs(ours.project(x), theirs.transform(inside))
    total = ((x - x.mean(axis=0)) ** 2).sum()
    held = ((theirs.transform(inside) - theirs.transform(inside).mean(axis=0)) ** 2).sum(axis=0) / total
    np.testing.assert_allclose(ours.shares, held, rtol=1e-9)
    np.testing.assert_allclose(ours.basis @ ours.basis.T, np.eye(2), atol=1e-12)
    plane = templates[1:] - templates[0]
    off = ours.basis - ours.basis @ np.linalg.pinv(plane) @ plane
    assert np.linalg.norm(off) > 0.05  # it is not the paper's plane


def test_what_has_no_two_directions_is_one_sentence() -> None:
    line = np.outer(np.arange(9.0), [1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="two directions"):
        pca(line)
    with pytest.raises(InputError, match="one line through the origin"):
        span_pca(features()[0], np.outer([1, 2, 3], np.ones(5)))
    with pytest.raises(InputError, match="three classes"):
        lda(features()[0], np.arange(300) % 2)


@pytest.mark.parametrize("view", LINEAR)
def test_one_map_for_all_splits_fitted_on_train(view: str) -> None:
    run = {"validation": make(1, split="validation", n=200), "train": make(0, n=200)}
    found = embed(run, CLASSES, view)
    assert found.fitted_on == "train"
    assert found.n_fitted == int(np.isin(run["train"].labels, CLASSES).sum())
    assert found.map is not None
    for split, a in run.items():
        for k, rows, points in zip(
            CLASSES, found.placed[split].rows, found.placed[split].points, strict=True
        ):
            assert (a.labels[rows] == k).all()
            np.testing.assert_allclose(points, found.map.project(a.features[rows]))
    alone = embed({"train": run["train"]}, CLASSES, view)
    np.testing.assert_array_equal(alone.map.basis, found.map.basis)  # type: ignore[union-attr]
    more = embed(run, CLASSES, view, all_classes=True)
    assert more.n_fitted == 200
    assert not np.allclose(more.map.basis, found.map.basis)  # type: ignore[union-attr]
    only = embed({"validation": run["validation"]}, CLASSES, view)
    assert only.fitted_on == "validation"


@pytest.mark.parametrize("view", LINEAR)
def test_orientation_does_not_depend_on_the_signs_of_eigenvectors(view: str) -> None:
    run = {"train": make(n=200)}
    means = [p.mean(axis=0) for p in embed(run, CLASSES, view).placed["train"].points]
    assert means[0][0] < means[1][0]
    assert means[2][1] > (means[0][1] + means[1][1]) / 2
    mirrored = {"train": replace(run["train"], features=run["train"].features)}
    np.testing.assert_array_equal(
        embed(mirrored, CLASSES, view).placed["train"].points[0],
        embed(run, CLASSES, view).placed["train"].points[0],
    )


@pytest.mark.parametrize("scale", ["distance", "own", "same"])
@pytest.mark.parametrize("view", LINEAR)
def test_panels_move_points_and_drop_what_belongs_to_the_plane(view: str, scale: str) -> None:
    runs = [
        {"train": make(n=200), "validation": make(1, split="validation", n=200)},
        {"train": make(2, noise=0.3)},
    ]
    rows = build_grid(
        runs,
        CLASSES,
        PanelOptions(scale=scale, pull=True),
        targets=[Targets.of(0.1), Targets.of(0.0)],
        remarks=["mine", ""],
    )
    found = [embed(run, CLASSES, view) for run in runs]
    made = embedded(rows, found, scale)
    first, second = made[0]
    assert first.limits == second.limits
    if scale == "same":
        assert first.limits == made[1][0].limits
    flat = [[p for row in grid for p in row] for grid in (rows, made)]
    for before, after, one in zip(*flat, [found[0], found[0], found[1]], strict=True):
        a = next(r[before.split] for r in runs if before.split in r and r[before.split].run == before.run)
        assert after.view == view
        assert VIEWS[view].remark in after.remark
        assert after.remark.startswith(before.remark)
        assert VIEWS[view].label in after.title
        assert after.ideal_xy is after.shading is after.pull is None
        assert len(after.boundaries) == len(after.templates_xy) == 0
        assert not {"rho_d", "rho", "distance", "plane_share", "off_plane"} & set(after.metrics)
        np.testing.assert_array_equal(after.rows, before.rows)
        np.testing.assert_array_equal(after.kinds, before.kinds)
        if before.run == rows[0][0].run and one is found[0] and a is runs[0][before.split]:
            xy = one.map.project(a.features[after.rows]) / after.unit  # type: ignore[union-attr]
            np.testing.assert_allclose(after.xy, xy, rtol=1e-5, atol=1e-5)


def test_turned_keeps_distances_and_puts_the_classes_in_their_places() -> None:
    rng = np.random.default_rng(0)
    clusters = [rng.normal(size=(9, 2)) + c for c in ([5, 1], [1, 4], [-3, -6])]
    left, right, above = turned(clusters, clusters)
    a, b, c = (p.mean(axis=0) for p in (left, right, above))
    assert a[0] < b[0]
    assert a[1] == pytest.approx(b[1])
    assert c[1] > a[1]
    for before, after in zip(clusters, (left, right, above), strict=True):
        ways = [np.linalg.norm(p[:, None] - p[None], axis=-1) for p in (before, after)]
        np.testing.assert_allclose(*ways)
