"""The pull of the loss in the plane: against autograd, at the optima, and as arrows in the panel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from synthetic import make

from penviz.metrics.target_vectors import Targets, target_vectors
from penviz.projection.build_panel import build_grid, build_panel
from penviz.projection.loss_gradient import SHORTEST, Arrows, pull, restricted_targets
from penviz.projection.panel_options import PanelOptions
from penviz.projection.plane import Plane

CLASSES = (4, 1, 6)
LIMITS = (-6.0, 6.0, -6.0, 6.0)


def autograd(plane: Plane, xy: np.ndarray, head_rows: np.ndarray, biases: np.ndarray, q: np.ndarray):
    """Minus the gradient in xy of the cross-entropy of three logits, by torch, through the features."""
    at = torch.tensor(xy, requires_grad=True)
    features = torch.tensor(plane.origin) + at @ torch.tensor(plane.basis)
    z = features @ torch.tensor(head_rows).T + torch.tensor(biases)
    loss = torch.nn.functional.cross_entropy(z, torch.tensor(q), reduction="sum")
    (grad,) = torch.autograd.grad(loss, at)
    return -grad.numpy()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.6])
def test_pull_is_the_gradient_by_autograd(bias: bool, alpha: float) -> None:
    head = make().head
    assert head is not None
    assert head.bias is not None
    plane = Plane.of_head(head, CLASSES, bias)
    rng = np.random.default_rng(0)
    xy, own = rng.normal(size=(50, 2)) * 3, rng.integers(3, size=50)
    q = target_vectors(Targets.of(alpha), 7, CLASSES)[:, list(CLASSES)][own]
    q = q / q.sum(axis=1, keepdims=True)
    rows = head.templates(bias)[list(CLASSES)].astype(np.float64)
    left = np.zeros(3) if bias else head.bias[list(CLASSES)].astype(np.float64)
    found = pull(plane, xy, q)
    np.testing.assert_allclose(found, autograd(plane, xy, rows, left, q), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(pull(plane, xy, 0.3 * q), found, rtol=1e-12)
    for wrong in (-found, found[:, ::-1], pull(plane, xy, np.eye(3)[own] if alpha else q[:, ::-1])):
        assert not np.allclose(wrong, autograd(plane, xy, rows, left, q))


def test_pull_is_the_descent_of_the_activation_itself() -> None:
    """W^T (q - p) of the three templates lies in the plane, wherever the activation is."""
    head = make().head
    assert head is not None
    plane = Plane.of_head(head, CLASSES, bias=False)
    x = np.random.default_rng(1).normal(size=(20, 5)) * 2
    q = target_vectors(Targets.of(0.2), 3)[np.arange(20) % 3]
    templates = head.weight[list(CLASSES)].astype(np.float64)
    z = x @ templates.T + np.asarray(head.bias, np.float64)[list(CLASSES)]
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    descent = (q - p) @ templates
    found = pull(plane, plane.project(x), q)
    np.testing.assert_allclose(found @ plane.basis, descent, atol=1e-10)


@pytest.mark.parametrize("n_classes", [3, 7])
@pytest.mark.parametrize("alpha", [0.05, 0.4, 0.9])
def test_pull_vanishes_at_the_star_and_only_there(alpha: float, n_classes: int) -> None:
    head = make(n_classes=n_classes).head
    assert head is not None
    plane = Plane.of_head(head, (0, 1, 2))
    full = target_vectors(Targets.of(alpha), n_classes, (0, 1, 2))
    stars = plane.ideal_points(full, (0, 1, 2))
    still = pull(plane, stars, full[:, :3])
    np.testing.assert_allclose(still, 0, atol=1e-13)
    for k in range(3):
        about = np.array([[np.cos(t), np.sin(t)] for t in np.linspace(0, 6, 20)])
        ways = pull(plane, stars[k] + 0.5 * about, full[k, :3])
        assert ((ways * about).sum(axis=1) < 0).all()  # from all sides towards the star


def test_hard_targets_pull_everywhere() -> None:
    head = make().head
    assert head is not None
    plane = Plane.of_head(head, CLASSES)
    far = np.stack(np.meshgrid(np.linspace(-8, 8, 30), np.linspace(-8, 8, 30)), axis=-1).reshape(-1, 2)
    for k in range(3):
        ways = pull(plane, far, np.eye(3)[k])
        assert (np.hypot(*ways.T) > 0).all()
        soft = pull(plane, far, target_vectors(Targets.of(0.1), 3)[k])
        assert np.hypot(*soft.T).min() < 1  # the same test sees that a smoothed pull nearly ends


def test_arrows_lie_in_their_regions_and_grow_with_the_pull() -> None:
    head = make().head
    assert head is not None
    plane = Plane.of_head(head, CLASSES)
    arrows = Arrows.over(plane, LIMITS, 1.5, np.eye(3), n=9)
    middle = arrows.ends.mean(axis=1)
    assert len(middle) == 81
    assert np.abs(middle).max() == pytest.approx(6 - 6 / 9)
    np.testing.assert_array_equal(plane.restricted_probs(middle * 1.5).argmax(axis=1), arrows.labels)
    way = arrows.ends[:, 1] - arrows.ends[:, 0]
    real = pull(plane, middle * 1.5, np.eye(3)[arrows.labels])
    assert ((way * real).sum(axis=1) > 0).all()
    np.testing.assert_allclose(way[:, 0] * real[:, 1], way[:, 1] * real[:, 0], atol=1e-9)
    length = np.hypot(*way.T)
    order = np.argsort(arrows.strengths)
    assert (np.diff(length[order]) >= -1e-12).all()
    assert length.min() >= SHORTEST * 0.8 * 12 / 9
    assert length.max() <= 12 / 9
    assert 0 < arrows.strengths.min() <= arrows.strengths.max() <= 1


def test_an_arrow_at_the_star_has_no_length() -> None:
    head = make().head
    assert head is not None
    plane = Plane.of_head(head, CLASSES)
    full = target_vectors(Targets.of(0.1), 7, CLASSES)
    star = plane.ideal_points(full, CLASSES)[0]
    box = (star[0] - 1, star[0] + 1, star[1] - 1, star[1] + 1)
    targets = restricted_targets(plane.restricted_probs(plane.ideal_points(full, CLASSES)))
    np.testing.assert_allclose(targets, (q := full[:, list(CLASSES)]) / q.sum(axis=1, keepdims=True))
    arrows = Arrows.over(plane, box, 1.0, targets, n=3)
    assert arrows.strengths[4] < 1e-14
    assert (np.delete(arrows.strengths, 4) > 1e-4).all()


def test_panels_have_arrows_only_when_asked_and_where_they_hold() -> None:
    run = {"train": make(), "validation": make(1, split="validation")}
    assert build_panel(run["train"], CLASSES, targets=Targets.of(0.1)).pull is None
    (row,) = build_grid([run], CLASSES, PanelOptions(pull=True), targets=[Targets.of(0.1)])
    first, second = (panel.pull for panel in row)
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.ends, second.ends)  # one plane, one frame, one field
    hard = build_panel(run["train"], CLASSES, PanelOptions(pull=True), targets=Targets.of(0.0)).pull
    assert hard is not None
    assert not np.allclose(hard.strengths, first.strengths)
    assert build_panel(run["train"], CLASSES, PanelOptions(pull=True), targets=Targets.of(None)).pull is None
    sigmoids = build_panel(run["train"], CLASSES, PanelOptions(pull=True), targets=Targets("binary", 0.1))
    assert sigmoids.ideal_xy is not None
    assert sigmoids.pull is None  # theirs hangs on each logit and not on differences
    x0, x1, y0, y1 = row[0].limits
    x, y = first.ends.mean(axis=1).T
    assert ((x > x0) & (x < x1) & (y > y0) & (y < y1)).all()
