"""The plan of the articles' claims: sweeps, articles, and what is set beside what for each claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from penviz import InputError
from penviz.metrics.numbers import BY_KEY

PLAN = Path(__file__).with_name("articles.yaml")

SIGMA, EPSILON, N_ATTACKED = 0.1, 0.02, 500
"""Of the noise and of the attacks, pixels in [0, 1]; validation examples that each network is attacked on."""

ROBUST = {
    "robust_noise": f"accuracy under Gaussian noise, sigma {SIGMA:g}",
    "robust_fgsm": f"accuracy after one step up the loss, epsilon {EPSILON:g}",
    "robust_steps10": f"accuracy after ten steps up the margin, epsilon {EPSILON:g}",
    "robust_masked": "share of examples without a gradient",
}


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a number of the runs of a sweep with one alpha, or a constant."""

    number: str
    split: str
    sweep: str = ""
    label_smoothing: float = 0.0
    constant: float | None = None


def read_plan(path: Path = PLAN) -> dict[str, Any]:
    """The sweeps, articles and claims; InputError where a claim names what is not there."""
    plan: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    for claim in plan["claims"]:
        if extra := claim.keys() - {"article", "claim", "measured", "answer", "see"}:
            raise InputError(
                f"{path.name}: a claim has the unknown keys {', '.join(map(str, extra))}: {claim}."
            )
        if ("measured" in claim) == ("answer" in claim) or claim["article"] not in plan["articles"]:
            raise InputError(f"{path.name}: a claim needs an article and either measured or answer: {claim}.")
        for before, after in sides(claim) if "measured" in claim else ():
            for side in (before, after):
                known = side.number in BY_KEY or side.number in ROBUST
                if side.constant is None and not (known and side.sweep in plan["sweeps"]):
                    raise InputError(f"{path.name} names an unknown number or sweep: {side}.")
    return plan


def sides(claim: Mapping[str, Any]) -> list[tuple[Side, Side]]:
    """Before and after of every comparison of a claim."""
    m = claim["measured"]
    split = m.get("split", "validation")

    def side(value: Any, sweep: str, number: str) -> Side:
        if isinstance(value, list):
            sweep, value = value
        return Side(number, split, sweep, float(value))

    made = []
    for sweep in m.get("sweeps", [""]):
        before = (
            Side(m["number"], split, constant=float(m["constant"]))
            if "constant" in m
            else side(m["before"], sweep, m.get("before_number", m["number"]))
        )
        made.append((before, side(m["after"], sweep, m["number"])))
    return made


def answer_word(claim: Mapping[str, Any]) -> str:
    """The verdict that the answer of a claim begins with, "" where it begins with none."""
    words = ("not held", "not tested", "held")
    return next((word for word in words if str(claim["answer"]).startswith(word)), "")
