from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from penviz.metrics.tightness.arc import Arc


def cloud(rng: np.random.Generator, n: int, centre: tuple[float, float], spread: float) -> np.ndarray:
    return np.array(centre) + spread * rng.normal(size=(n, 2))


def slowly(similar: list[np.ndarray], distant: np.ndarray) -> tuple[float, float, float]:
    """radial, tangential and continuum, example by example; a class is repeated so that both weigh a half."""
    c = [statistics.fmean(p[i] for p in distant) for i in (0, 1)]
    means = [[statistics.fmean(p[i] for p in points) for i in (0, 1)] for points in similar]
    middle = [(means[0][i] + means[1][i]) / 2 for i in (0, 1)]
    heading = math.atan2(middle[1] - c[1], middle[0] - c[0])
    n = math.lcm(len(similar[0]), len(similar[1]))
    radii, angles = [], []
    for points in similar:
        for p in points:
            angle = math.atan2(p[1] - c[1], p[0] - c[0]) - heading
            angle = math.remainder(angle, 2 * math.pi)
            radii += [math.dist(p, c)] * (n // len(points))
            angles += [angle] * (n // len(points))
    shares = []
    for points in (*similar, distant):
        inside = 0
        for p in points:
            dot = sum((p[i] - c[i]) * (middle[i] - c[i]) for i in (0, 1))
            inside += 1 / 3 < dot / math.dist(middle, c) ** 2 < 2 / 3
        shares.append(inside / len(points))
    spread = statistics.fmean(radii) * statistics.pstdev(angles)
    return statistics.pstdev(radii), spread, statistics.fmean(shares)


@pytest.mark.parametrize("turn", [0.0, 1.0, 2.9, 4.4])
def test_from_its_definition(turn: float) -> None:
    """Wherever the classes lie about the distant one: an angle has no jump at the half turn."""
    rng = np.random.default_rng(5)
    at = [(4 * math.cos(turn + a), 4 * math.sin(turn + a)) for a in (-0.2, 0.2)]
    similar = [cloud(rng, 12, at[0], 1.0), cloud(rng, 8, at[1], 1.3)]
    distant = cloud(rng, 15, (0.0, 0.0), 1.2)
    found, expected = Arc.of(similar, distant), slowly(similar, distant)
    assert (found.radial, found.tangential, found.continuum) == pytest.approx(expected)
    assert found.isotropy == pytest.approx(expected[0] / expected[1])
    assert found.continuum > 0


def test_an_arc_is_0_and_a_round_cloud_is_1() -> None:
    angles = np.linspace(-0.7, 0.7, 40)
    arc = 3 * np.c_[np.cos(angles), np.sin(angles)]
    distant = np.array([[0.5, 0.0], [-0.5, 0.0]])
    on_it = Arc.of([arc[:20], arc[20:]], distant)
    assert on_it.isotropy == pytest.approx(0, abs=1e-12)
    assert on_it.continuum == 0
    rng = np.random.default_rng(0)
    both = cloud(rng, 20_000, (30.0, 0.0), 1.0)
    round_one = Arc.of([both[:10_000], both[10_000:]], distant)
    assert round_one.isotropy == pytest.approx(1, abs=0.03)
    assert round_one.radial == pytest.approx(1, abs=0.03)


def test_a_continuum_by_hand() -> None:
    """From 0 to the midpoint 3 the middle third is 1 to 2: 1 of 4 examples, 1 of 2, and 1 of 5."""
    first = np.array([[1.5, 1.0], [4.0, 0.0], [4.0, 0.0], [4.5, -1.0]])
    second = np.array([[1.9, 0.5], [3.1, -0.5]])
    distant = np.array([[1.2, 0.0], [-0.3, 0.0], [-0.3, 0.0], [-0.3, 0.0], [-0.3, 0.0]])
    assert Arc.of([first, second], distant).continuum == pytest.approx((1 / 4 + 1 / 2 + 1 / 5) / 3)


def test_free_of_scale_shift_turn_and_reflection() -> None:
    rng = np.random.default_rng(2)
    groups = [
        cloud(rng, 10, (5.0, 1.0), 1.0),
        cloud(rng, 30, (5.0, -1.0), 1.0),
        cloud(rng, 20, (0.0, 0.0), 2.0),
    ]
    turn = np.array([[math.cos(2.5), -math.sin(2.5)], [math.sin(2.5), math.cos(2.5)]]) @ np.diag([1, -1])
    moved = [7 * points @ turn + [100, -50] for points in groups]
    first, second = Arc.of(groups[:2], groups[2]), Arc.of(moved[:2], moved[2])
    assert second.isotropy == pytest.approx(first.isotropy)
    assert second.continuum == first.continuum
    assert second.radial == pytest.approx(7 * first.radial)
    swapped = Arc.of([groups[1], groups[0]], groups[2])
    assert swapped.isotropy == pytest.approx(first.isotropy)


def test_what_has_no_arc_is_refused() -> None:
    points = np.ones((3, 2))
    for similar, distant in (([points], points), ([points, points[:0]], points)):
        with pytest.raises(ValueError, match="two similar classes"):
            Arc.of(similar, distant)
    with pytest.raises(ValueError, match="one mean"):
        Arc.of([points, points], points)
