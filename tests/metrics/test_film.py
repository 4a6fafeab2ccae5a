"""A film against plain loops: every epoch on the plane of the last head, the same examples, one frame."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from references import in_plane, rho

from penviz.metrics.target_vectors import Targets
from penviz.projection.build_panel import build_panel
from penviz.projection.panel_options import PanelOptions
from penviz.projection.snapshot_animation import NUMBERS, Film, build_films, film_finding
from penviz.store.head import ActivationsError
from penviz.study.animation_charts import film_charts
from tests.small_runs import small_snapshots

TRIPLE = (3, 0, 7)
EPOCHS = (1, 2, 5, 9)


def snapshots(alpha: float = 0.0) -> dict[str, list]:
    name = "soft" if alpha else "hard"
    return {
        split: [small_snapshots(name, split, alpha).at(i) for i in range(4)]
        for split in ("train", "validation")
    }


def films(**options: object) -> list[Film]:
    runs = [snapshots(0.0), snapshots(0.1)]
    return build_films(runs, [EPOCHS, EPOCHS], TRIPLE, targets=[Targets.of(0.0), Targets.of(0.1)], **options)  # type: ignore[arg-type]


def distances(groups: list[list[np.ndarray]]) -> float:
    means = [sum(g) / len(g) for g in groups]
    pairs = [(0, 1), (0, 2), (1, 2)]
    return sum(math.dist(means[i], means[j]) for i, j in pairs) / 3


@pytest.mark.parametrize("bias", [True, False])
def test_every_epoch_lies_on_the_plane_of_the_last_head(bias: bool) -> None:
    """Offsets and unit apart, coordinates are the inner products with Gram and Schmidt's axes."""
    film = films(bias=bias)[1]
    own = snapshots(0.1)
    for split in ("train", "validation"):
        head = own["train"][-1].head
        for a, panel in zip(own[split], film.panels[split], strict=True):
            groups = in_plane(replace(a, head=head), TRIPLE, bias)
            unit = distances(in_plane(own["train"][-1], TRIPLE, bias))
            assert panel.unit == pytest.approx(unit)
            for k, group in enumerate(groups):
                wanted = np.array(group) - sum(group) / len(group)
                xy = panel.xy[panel.labels == k].astype(float)
                order = np.argsort(panel.indices[panel.labels == k])
                found = xy[order] - xy.mean(axis=0)
                np.testing.assert_allclose(found * panel.unit, wanted, atol=1e-4)
            assert panel.metrics["rho_d"] == pytest.approx(rho(groups) / distances(groups))


def test_on_a_plane_of_its_own_an_epoch_would_lie_elsewhere() -> None:
    """So that the test above can fail."""
    film = films()[0]
    a = snapshots()["train"][0]
    alone = build_panel(a, TRIPLE, PanelOptions(20), targets=Targets.of(0.0))
    here = film.panels["train"][0]
    assert np.abs(alone.xy * alone.unit - here.xy * here.unit).max() > 0.1


def test_stars_are_those_of_the_kind_of_targets() -> None:
    """As in a picture of the last epoch alone, whose stars tests/metrics/test_kinds_of_targets.py derives."""
    run, targets = snapshots(0.1), Targets("others", 0.3)
    (film,) = build_films([run], [EPOCHS], TRIPLE, targets=[targets])
    (uniform,) = build_films([run], [EPOCHS], TRIPLE, targets=[Targets.of(0.3)])
    found, wrong = film.panels["train"][0], uniform.panels["train"][0]
    alone = build_panel(run["train"][-1], TRIPLE, PanelOptions(20), targets=targets)
    assert found.ideal_xy is not None
    assert wrong.ideal_xy is not None
    np.testing.assert_allclose(found.ideal_xy * found.unit, alone.ideal_xy * alone.unit)
    assert np.abs(found.ideal_xy * found.unit - wrong.ideal_xy * wrong.unit).max() > 0.01
    assert (film.label_smoothing, found.targets) == (0.3, "others")


def test_pictures_share_axes_unit_examples_and_what_belongs_to_the_last_head() -> None:
    for film in films():
        for split, panels in film.panels.items():
            last = panels[-1]
            assert [p.epoch for p in panels] == list(EPOCHS)
            assert [p.place for p in panels] == [f"{split}, epoch {e}" for e in EPOCHS]
            for p in panels:
                assert (p.limits, p.unit, p.unit_split) == (last.limits, last.unit, "train")
                np.testing.assert_array_equal(p.indices, last.indices)
                np.testing.assert_array_equal(p.boundaries, last.boundaries)
                np.testing.assert_array_equal(p.templates_xy, last.templates_xy)
                assert sum(p.n_shown) == sum(p.n_stored) == 60
                assert p.n_total == (500, 500, 500)
                assert p.n_outside <= 1, "99.5 % of every epoch"
    hard, soft = films()
    sides = {p.limits[1] - p.limits[0] for f in (hard, soft) for p in f.panels["train"]}
    assert max(sides) - min(sides) < 1e-12, "the scale distance has axes of one length"


def test_a_first_epoch_far_out_does_not_make_the_last_one_small() -> None:
    run = snapshots(0.1)
    plain = build_films([run], [EPOCHS], TRIPLE)[0].panels
    for frames in run.values():
        far = frames[0].features.copy()
        far[::8] *= 30  # one in 32 of all epochs together; at 100 % they would hold the picture
        frames[0] = replace(frames[0], features=far)
    film = build_films([run], [EPOCHS], TRIPLE)[0].panels
    side, before = (p["train"][-1].limits[1] - p["train"][-1].limits[0] for p in (film, plain))
    assert side < 4 * before
    for panels in film.values():
        out = [p.n_outside for p in panels]
        assert out[0] > 0
        assert out[-1] <= 0.005 * 60
        assert sum(out) <= 0.1 * 60 * len(EPOCHS)
        means = np.concatenate([p.means_xy for p in panels])
        x0, x1, y0, y1 = panels[0].limits
        assert (means > (x0, y0)).all()
        assert (means < (x1, y1)).all()


def test_numbers_of_each_epoch_against_loops() -> None:
    film = films()[1]
    for split in ("train", "validation"):
        assert set(film.numbers[split]) == set(NUMBERS)
        for i, a in enumerate(snapshots(0.1)[split]):
            assert a.head is not None
            gaps, spreads, nlls, right = [], [], [], 0
            for x, y, guess in zip(a.features, a.labels, a.predictions, strict=True):
                z = [
                    float(np.dot(w.astype(float), x) + b)
                    for w, b in zip(a.head.weight, a.head.bias, strict=True)
                ]
                wrong = [v for k, v in enumerate(z) if k != y]
                middle = sum(wrong) / len(wrong)
                gaps.append(z[y] - middle)
                spreads.append(math.sqrt(sum((v - middle) ** 2 for v in wrong) / len(wrong)))
                nlls.append(math.log(sum(math.exp(v) for v in z)) - z[y])
                right += int(y == guess)
            n = len(a)
            found = {key: film.numbers[split][key][i] for key in NUMBERS}
            assert found["gap"] == pytest.approx(sum(gaps) / n)
            assert found["spread"] == pytest.approx(sum(spreads) / n)
            assert found["nll"] == pytest.approx(sum(nlls) / n)
            assert found["accuracy"] == pytest.approx(right / n)
            assert film.panels[split][i].metrics["accuracy"] == pytest.approx(right / n)
            assert "ece" not in film.panels[split][i].metrics


def test_confidences_are_those_of_the_epochs_own_head() -> None:
    panel, a = films()[0].panels["train"][0], snapshots()["train"][0]
    z = a.logits()[panel.rows]
    np.testing.assert_allclose(panel.confidences, np.exp(z).max(1) / np.exp(z).sum(1), rtol=1e-5)


def test_other_examples_or_lengths_are_refused() -> None:
    own = snapshots()
    a = own["train"][0]
    moved = {"train": [replace(a, indices=a.indices + 1), *own["train"][1:]]}
    with pytest.raises(ActivationsError, match="not of the same examples"):
        build_films([moved], [EPOCHS], TRIPLE)
    with pytest.raises(ActivationsError, match="need as many snapshots"):
        build_films([own], [EPOCHS[:-1]], TRIPLE)


def test_the_finding_says_both_ends() -> None:
    found = films()
    sentence = film_finding(found)
    assert sentence.startswith("Between epochs 1 and 9 ρ/d on train goes from ")
    for film, name in zip(found, ("hard", "soft"), strict=True):
        first, last = film.numbers["train"]["rho_d"][[0, -1]]
        assert f"from {first:#.3g} to {last:#.3g} ({name})" in sentence
    assert "(hard)" in film_finding(found[:1])


def test_charts_hold_the_numbers_and_the_history() -> None:
    found = films()
    histories = [[{"epoch": e, "train_loss": 1 / e} for e in range(1, 10)], [{"epoch": 1}]]
    charts = film_charts(found, histories, ["hard", "soft"])
    assert [c.title for c in charts] == [
        "ρ/d in the picture",
        "Accuracy",
        "Training loss",
        "NLL",
        "Logit gap",
        "Spread of the non-target logits",
    ]
    by_name = {s.name: s for s in charts[0].series}
    np.testing.assert_array_equal(by_name["soft, validation"].y, found[1].numbers["validation"]["rho_d"])
    assert by_name["soft, validation"].dashed
    assert not by_name["soft, train"].dashed
    assert len(by_name) == 4, "a colour a run, a dash for validation, and nothing else"
    assert [s.name for s in charts[2].series] == ["hard, train"]
    np.testing.assert_allclose(charts[2].series[0].y, 1 / np.arange(1, 10))
    assert all(c.x_limits == (1, 9) for c in charts)
