"""Networks trained past fit, side by side: fit, tightness of all triples, and calibration."""

from __future__ import annotations

import statistics

from penviz.study.sweep import t_interval
from reproduction.manifest import Recipe
from reproduction.results import OF_ALL_TRIPLES
from reproduction.tables import NOTHING, Results, change, markdown, over_seeds, percent, three

SPLITS = ("train", "validation")


def past_fit(results: Results) -> str:
    """A line an alpha and split of every recipe whose runs are followed over their training.

    The change from hard targets is that of the median triple: its mean over pairs of equal seeds, with the
    95 % interval over them from three pairs on.
    """
    lines = []
    for recipe in results.recipes():
        for split in SPLITS if recipe.snapshots else ():
            for alpha in results.smoothings(recipe):
                if results.values(recipe, alpha, split, "triples_rho_d"):
                    lines.append(_line(results, recipe, split, alpha))
    head = ["tier", "network", "epochs", "split", "α", "accuracy", "loss over its floor, nats"]
    head += [
        "ρ/d of all triples: lower quartile",
        "median",
        "upper quartile",
        "change of the median triple, %",
    ]
    return markdown([*head, "95 % over seeds", "ECE", "T", "ECE at T", "seeds"], lines)


def _line(results: Results, recipe: Recipe, split: str, alpha: float) -> list[str]:
    def values(column: str) -> list[float]:
        return results.values(recipe, alpha, split, column)

    changes = values("triples_median_change")
    low, high = t_interval(changes)
    return [
        *(
            recipe.tier,
            f"{recipe.dataset}: {recipe.model}",
            str(recipe.options["epochs"]),
            split,
            f"{alpha:g}",
        ),
        over_seeds(values("accuracy"), percent),
        over_seeds(values("loss_over_floor"), three),
        *(over_seeds(values(column), three) for column in OF_ALL_TRIPLES),
        change(statistics.fmean(changes)) if changes else NOTHING,
        f"{change(low)} to {change(high)}" if low == low else NOTHING,
        over_seeds(values("ece"), "{:.4f}".format),
        over_seeds(values("temperature"), "{:.2f}".format),
        over_seeds(values("ece_other_at_temperature"), "{:.4f}".format),
        str(len(values("triples_rho_d"))),
    ]
