"""Runs of odd shapes on every page: a sentence or numbers, never a traceback, and no "nan" in any text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from page_client import checked
from small_runs import make_run
from streamlit.testing.v1 import AppTest

from penviz.store.activations import Activations
from penviz.store.head import Head
from penviz.store.runs import activations_path

PAGES = {
    "clusters": "clusters", "calibration": "calibration", "distillation": "distillation",
    "training_dynamics": "training", "sweep": "sweep",
}  # fmt: skip
"""Module of a page -> what its function shows."""
TWO = ("cat", "dog")
NO_NUMBER = re.compile(r"(?<![A-Za-z])(nan|NaN|inf|None)(?![A-Za-z])")

Odd = Callable[[Activations], Activations]


def without(classes: Sequence[int]) -> Odd:
    return lambda a: a.take(~np.isin(a.labels, classes))


def on_templates(a: Activations) -> Activations:
    """Every example on the template of its class but the first one: points, and one beside."""
    features = a.head.weight[a.labels].copy()
    features[0] += 1
    return replace(a, features=features)


SHAPES: dict[str, tuple[dict[str, object], Odd | None, tuple[str, ...]]] = {
    "one example a class": ({"per_class": 1}, None, ("train", "validation")),
    "two examples a class": ({"per_class": 2}, None, ("train", "validation")),
    "a class absent": ({}, without([9]), ("train", "validation")),
    "most classes absent": ({}, without(range(2, 10)), ("train", "validation")),
    "an empty split": ({}, without(range(10)), ("validation",)),
    "constant features": ({}, lambda a: replace(a, features=0 * a.features + 1), ("train", "validation")),
    "tiny features": ({}, lambda a: replace(a, features=1e-25 * a.features), ("train", "validation")),
    "points": ({}, on_templates, ("train", "validation")),
    "a head of zeros": ({}, lambda a: replace(a, head=Head(0 * a.head.weight)), ("train", "validation")),
    "no head": ({}, lambda a: replace(a, head=None), ("train", "validation")),
    "a head for one split": ({}, lambda a: replace(a, head=None), ("validation",)),
    "names that are markup": ({"names": ("<b>a", "c (1)", "b$x$", "%s")}, None, ("train",)),
    "two classes": ({"names": TWO}, None, ("train",)),
    "two classes, three examples": (
        {"names": TWO, "per_class": 3},
        on_templates,
        ("train", "validation"),
    ),
    "160 classes": ({"names": [f"c{k}" for k in range(160)], "per_class": 2}, None, ("train",)),
}
"""What is odd -> settings of the runs, what is done to their activations, and in which splits."""


def change(directory: Path, odd: Odd | None, splits: Sequence[str]) -> None:
    for split in splits if odd else ():
        path = activations_path(directory, split)
        odd(Activations.load(path)).save(path)


def page(name: str, **parameters: Sequence[str]) -> AppTest:
    """One page alone, with the first page beside it, which others link to."""
    show = f"show_{PAGES[name]}"
    app = AppTest.from_string(
        "import streamlit as st\nfrom penviz.app.page.clusters import show_clusters\n"
        f"from penviz.app.page.{name} import {show}\n"
        f"st.navigation([st.Page(show_clusters, default=True)], position='hidden')\n{show}()\n",
        default_timeout=60,
    )
    for key, value in parameters.items():
        app.query_params[key] = value
    return checked(app.run())


def check(name: str, **parameters: Sequence[str]) -> None:
    app = page(name, **parameters)
    texts = [re.sub(r"<style.*?</style>|<[^>]+>", " ", e.proto.body, flags=re.S) for e in app.get("html")]
    texts += [warning.value for warning in app.warning]
    assert "".join(texts).strip()
    for text in texts:
        assert not NO_NUMBER.search(text), text


@pytest.mark.parametrize("shape", SHAPES)
def test_a_pair(shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, odd, splits = SHAPES[shape]
    for name, alpha in (("hard", 0.0), ("soft", 0.1)):
        change(make_run(tmp_path, name, alpha, **settings), odd, splits)
    monkeypatch.setenv("PENVIZ_RUNS", str(tmp_path))
    for name in PAGES:
        check(name)


@pytest.mark.parametrize("shape", ["one example a class", "a class absent", "points"])
def test_three_seeds_of_three_levels(shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, odd, splits = SHAPES[shape]
    names = []
    for alpha, seed in product((0.0, 0.05, 0.1), range(3)):
        run = make_run(tmp_path, f"alpha{alpha}-seed{seed}", alpha, seed=seed, **settings)
        change(run, odd, splits)
        names.append(run.name)
    monkeypatch.setenv("PENVIZ_RUNS", str(tmp_path))
    check("sweep", runs=names)
    check("clusters", runs=[name for name in names if "0.05" not in name])
