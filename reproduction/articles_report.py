"""docs/claims.md from the table of numbers: what each article claims, what came out, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penviz.metrics.numbers import BY_KEY
from penviz.metrics.wording import three
from reproduction.articles_plan import EPSILON, N_ATTACKED, ROBUST, SIGMA, answer_word

Line = Mapping[str, str]
"""A row of the table (`articles.COLUMNS`)."""


def report(plan: Mapping[str, Any], lines: Sequence[Line]) -> str:
    """docs/claims.md."""
    text = [
        "# What five articles claim, and what came out",
        "",
        "Every claim of the articles that this project answers, with the experiment or the test that does. "
        "Made by `python -m reproduction.articles ROOT`; the numbers are in `reproduction/articles.csv`, the "
        "plan, fixed before its numbers were seen (those of `alexnet` excepted), in "
        "`reproduction/articles.yaml`.",
        "",
        "A difference is after minus before, means over training seeds with Welch's 95 % interval; three "
        "seeds a side or more. **Held**: the interval excludes 0 on the side of the claim. **Not held**: on "
        "the other side. **Undecided**: it contains 0; three seeds may be too few to see so small a "
        "difference. The networks are small and the schedules short: what holds here may not for yours.",
        "",
        f"Attacks and noise are on the first {N_ATTACKED} validation examples, pixels in [0, 1]: noise of "
        f"standard deviation {SIGMA:g}, steps of at most {EPSILON:g}. A caveat that belongs to them: an "
        "attack follows the gradient, and a network that is sure has none left in float32, so that it looks "
        "robust (gradient masking). The attack on the margin does not suffer from it; believe that one.",
        "",
    ]
    for article, about in plan["articles"].items():
        text += [
            f"## Article {article}: {about}",
            "",
            "| claim | where | measured | verdict |",
            "|---|---|---|---|",
        ]
        for claim in (c for c in plan["claims"] if c["article"] == article):
            if "answer" in claim:
                word = answer_word(claim) or "see there"
                see = f" ([{claim['see']}](../{claim['see']}))" if "see" in claim else ""
                text.append(f"| {claim['claim']} |  | {claim['answer']}{see} | {word} |")
                continue
            for line in (x for x in lines if x["claim"] == claim["claim"] and x["article"] == article):
                text.append(f"| {claim['claim']} | {_where(line)} | {_measured(line)} | {line['verdict']} |")
        text.append("")
    text += ["## Commands", "", "Each with `--seed 0 --seed 1 --seed 2`, the default.", "", "```"]
    text += [f"{command}" for command in plan["sweeps"].values()]
    text += ["python -m reproduction.articles ROOT", "```", ""]
    return "\n".join(text)


def _where(line: Line) -> str:
    return f"{line['sweep']}: {line['network']}, {line['split']}" if line["network"] else line["sweep"]


def _measured(line: Line) -> str:
    number = line["number"]
    label = ROBUST.get(number) or BY_KEY[number].label
    if not line["before"] or not line["after"]:
        return f"{label}: no runs yet"
    before = "" if line["before_alpha"] == "" else f" at α = {line['before_alpha']}"
    said = f"{label} {_three(line['before'])}{before} to {_three(line['after'])} at α = {line['after_alpha']}"
    if not line["low"]:
        n = line["n_after"]
        return f"{said}; {n} {'seed' if n == '1' else 'seeds'}, too few for an interval"
    ends = f"[{_three(line['low'])}, {_three(line['high'])}]"
    return f"{said}: {_three(line['difference'])} {ends}, {line['n_after']} seeds"


def _three(value: str) -> str:
    return three(float(value)).replace("-", "−")
