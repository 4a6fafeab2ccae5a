"""Every number of the table against an independent reference, and for each an error that the test sees."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest
from mutants import mutant
from references import reference
from synthetic import make

from penviz.metrics.numbers import MEASURE, NUMBERS, TABLES, Number
from penviz.study import table as TABLE

RUN = {split: make(0, split=split, n=260, noise=1.1) for split in ("train", "validation")}
TRIPLE = (5, 0, 2)
ALPHA = 0.1

MUTANTS = {
    "rho_d": ("plane", "templates = head.templates(bias, rows)", "templates = head.templates(False, rows)"),
    "rho": ("tightness", "(self.scatter / self.count).mean(", "(self.scatter / (self.count - 1)).mean("),
    "distance": ("tightness", "self.sides().mean(axis=-1)", "self.sides().max(axis=-1)"),
    "plane_share": (
        "projection",
        "clusters.scatter.sum() + _between(n, clusters.mean)",
        "clusters.scatter.sum()",
    ),
    "off_plane": ("projection", "plane.off_plane(mean) ** 2 + ", ""),
    "rho_d_correct": ("table", "[xy[mask] for", "[xy for"),
    "rho_0": ("tightness", "np.sqrt(self.scatter / self.count)", "np.sqrt(self.scatter / (self.count - 1))"),
    "rho_1": ("compared_splits", "c.class_rho()[..., 1]", "c.class_rho()[..., 0]"),
    "rho_2": (
        "projection",
        "picked = [rows[k] for k in chosen]",
        "picked = [rows[k] for k in sorted(chosen)]",
    ),
    "within_total": (
        "tightness",
        "(centred**2).sum(axis=-1).mean(axis=-1)",
        "(centred**2).sum(axis=(-1, -2))",
    ),
    "regularity": ("tightness", "self.sides().std(axis=-1)", "self.sides().std(axis=-1, ddof=1)"),
    "towards_centre_0": ("tightness", "p[:, k] < SURE", "p[:, 1] < SURE"),
    "towards_centre_1": ("tightness", "SURE = 0.9", "SURE = 0.5"),
    "towards_centre_2": ("plane", "return _float(xy) @ self.R + self.offset", "return _float(xy) @ self.R"),
    "radius_ratio": ("table", 'other["rho"] / train["rho"]', 'train["rho"] / other["rho"]'),
    "triple_ratio": ("table", "space_ratio(s.moments, p.classes)", "space_ratio(s.moments)"),
    "space_radius": (
        "tightness",
        "(moments.trace[k] / moments.count[k])",
        "(moments.trace[k] / moments.count.mean())",
    ),
    "space_distance": ("tightness", "np.triu_indices(len(mean), 1)", "np.triu_indices(len(mean), 0)"),
    "space_ratio": ("moments", 'np.einsum("nd,nd->", part, part)', 'np.einsum("nd,nd->", part, part) / 2'),
    "space_within_total": ("tightness", ".sum(axis=1).mean()) if len(k)", ".sum(axis=1).sum()) if len(k)"),
    "class_separation": (
        "moments",
        'np.sqrt(np.einsum("nd,nd->n", part, part))',
        'np.einsum("nd,nd->n", part, part)',
    ),
    "nc1": ("collapse", "values = singular**2 / n_classes", "values = singular**2"),
    "cdnv": ("collapse", "(2 * apart)", "apart"),
    "gap": ("logits", "z.sum(axis=1) / (n_classes - 1)", "z.sum(axis=1) / n_classes"),
    "gap_ratio": ("target_vectors", "own * (1 - a) + a / n_classes", "own * (1 - a) + a / 2"),
    "spread": (
        "logits",
        "np.maximum(square, 0) / (n_classes - 1)",
        "np.maximum(square, 0) / (n_classes - 2)",
    ),
    "accuracy": ("split_statistics", "a.predictions == a.labels", "a.predictions != a.labels"),
    "accuracy_gap": ("table", '(train["accuracy"] or 0.0) - (', '-(train["accuracy"] or 0.0) + ('),
    "top5": ("logits", "(above < 5)", "(above <= 5)"),
    "confidence": ("logits", "np.exp(top - log_sum)", "np.exp(-log_sum)"),
    "nll": ("logits", "            log_sum,\n", "            log_sum / np.log(2),\n"),
    "ece": ("reliability", "apart @ self.counts[held] / self.counts.sum()", "apart.mean()"),
}


def check(key: str, module: ModuleType, bias: bool = True) -> None:
    summaries = {split: module.SplitStatistics.of(a) for split, a in RUN.items()}
    shown = module.compare([summaries], TRIPLE, bias=bias, label_smoothings=[ALPHA])
    split, expected = reference(key, RUN, TRIPLE, bias, ALPHA)
    assert shown.row(key).values[0][split] == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("key", [n.key for n in TABLES[MEASURE]])
def test_number_is_that_of_its_definition(key: str, bias: bool) -> None:
    check(key, TABLE, bias)


@pytest.mark.parametrize("key", [n.key for n in TABLES[MEASURE]])
def test_reference_sees_an_error(key: str) -> None:
    with mutant(*MUTANTS[key]) as module, pytest.raises(AssertionError):
        check(key, module)


def test_a_mutant_leaves_nothing_behind() -> None:
    with mutant(*MUTANTS["rho"]) as module:
        assert module is not TABLE
    check("rho", TABLE)


def test_every_number_says_what_it_means() -> None:
    assert len({n.key for n in NUMBERS}) == len({n.label for n in NUMBERS}) == len(NUMBERS)
    assert all(n.meaning and "\n" not in n.meaning for n in NUMBERS)
    assert TABLES[MEASURE][0].key == "rho_d"
    assert {n for own in TABLES.values() for n in own} == set(NUMBERS)
    for module in {n.where for n in NUMBERS}:
        importlib.import_module(module)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda n: n.key)
def test_the_least_relevant_change_is_in_the_unit_of_the_change(number: Number) -> None:
    assert number.least == {"ece": 0.02}.get(
        number.key, 0.02 if number.relative else 0.005 if number.unit == "share" else 0.01
    )
