"""How far ρ/d of two networks of one recipe lies apart that differ in the seed alone.

An interval over examples does not know of seeds. Where one network stands on each side, a change that two
seeds of one recipe often show is no finding, however narrow that interval is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from penviz.metrics.intervals.bootstrap import t95

MEDIAN = 0.6744897501960817
"""0.75 quantile of the normal distribution: half of all draws lie within that many deviations."""


@dataclass(frozen=True)
class SeedSpread:
    """The spread of ln ρ/d over the seeds of one recipe.

    Attributes:
        deviation: standard deviation over seeds of ln ρ/d.
        freedom: degrees of freedom it was measured with.
        networks: how many were measured.
        recipe: "fc800 on digits"; "" where it was not measured and that of another recipe stands in.
    """

    deviation: float
    freedom: int
    networks: int
    recipe: str = ""

    @property
    def usual(self) -> float:
        """The change that half of all pairs of seeds exceed, as after / before - 1."""
        return math.expm1(MEDIAN * math.sqrt(2) * self.deviation)

    @property
    def least(self) -> float:
        """The change that 5 % of pairs of seeds exceed, as after / before - 1 of the looser network.

        The difference of two draws has √2 times their deviation; Student's t allows for how well it is known.
        """
        return math.expm1(t95(self.freedom) * math.sqrt(2) * self.deviation)

    def sentence(self) -> str:
        """What the page says of it."""
        least = f"{100 * self.least:.0f} %"
        if not self.recipe:
            return (
                f"How much two seeds of this recipe differ was not measured. A change below {least}, the "
                "most that two seeds of a measured recipe usually differ by, is not called a difference."
            )
        usual = f"{100 * self.usual:.0f} %" if self.usual >= 0.005 else "less than 1 %"
        return (
            f"Two seeds of this recipe differ by about {usual}, and 95 % of pairs by less than {least} "
            f"({self.recipe}, {self.networks} networks)."
        )


MEASURED: Mapping[tuple[str, str], Mapping[str, SeedSpread]] = {
    ("digits", "fc800"): {
        "train": SeedSpread(0.0249, 39, 40, "fc800 on digits"),
        "validation": SeedSpread(0.0624, 39, 40, "fc800 on digits"),
    },
    ("cifar10", "tutorial_alexnet"): {
        "train": SeedSpread(0.0073, 4, 6, "tutorial_alexnet on cifar10"),
        "validation": SeedSpread(0.0110, 4, 6, "tutorial_alexnet on cifar10"),
    },
    ("cifar100", "resnet20"): {
        "train": SeedSpread(0.0564, 8, 7, "resnet20 on cifar100"),
        "validation": SeedSpread(0.0712, 8, 7, "resnet20 on cifar100"),
    },
}
"""(data set, network) -> split -> spread, as `python benchmarks/null_pairs.py` prints it.

digits: forty networks on hard targets, 20 epochs each, the triple 0 1 2. The others: all runs of a smoothing
of which reproduction/results.csv has two seeds or more, about the mean of their smoothing, over its triples.
"""


def seed_spread(dataset: str, model: str, split: str) -> SeedSpread:
    """The spread of a recipe; the widest measured for the split, without a recipe, where it was not measured.

    Args:
        dataset, model: names of the built-in data set and of the network; split: "train", "validation" or
            "test", the last taken for validation.
    """
    part = "train" if split == "train" else "validation"
    if (dataset, model) in MEASURED:
        return MEASURED[dataset, model][part]
    widest = max((spreads[part] for spreads in MEASURED.values()), key=lambda s: s.least)
    return SeedSpread(widest.deviation, widest.freedom, widest.networks)
