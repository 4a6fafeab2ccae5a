"""What numbers of some runs allow to say, in one sentence: the words, and what must be known of the runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from penviz.metrics.intervals.bootstrap import one_a_seed
from penviz.metrics.target_vectors import Targets
from penviz.metrics.wording import cause_words, soft_words, than_words
from penviz.store.run_activations import targets_of
from penviz.store.run_differences import differences, recipe_of
from penviz.store.runs import Run

MAY_DIFFER = ("label_smoothing", "targets", "seed")
"""Config fields in which runs may differ and still be compared."""

SEEDS_NEEDED = 3
NONE_DRAWN = "no conclusion is drawn"
UNCLEAR = "No clear difference"
TOO_FEW = "Too few examples for an interval"
NO_INTERVAL = "No interval over examples would be valid"
NO_CONCLUSION = "No conclusion"
TOO_FEW_SEEDS = "An interval over seeds needs at least three seeds per setting."
STATED = "Targets are as stated: penviz did not train these networks and does not know what else differs."
DEPENDS = "it depends on whether the bias counts as part of the template"
BIAS = (
    "ρ/d with the bias in the templates changes when features are multiplied and the head is divided by one "
    "number, which leaves the network as it is."
)


@dataclass(frozen=True)
class Finding:
    """What the page says at its top.

    Attributes:
        kind: "none", "one", "unknown", "adopted", "planes", "same", "equal", "differs", "tighter", "looser",
            "lower", "higher", "mixed" (the chosen triple moves against the median of all), "depends" (on the
            bias switch), "unclear", "series".
        headline: one sentence without a full stop.
        detail: the numbers behind it, with what varies in the intervals.
    """

    kind: str
    headline: str
    detail: str = ""


def other_fields(differing: Iterable[str]) -> list[str]:
    """Config fields that forbid a conclusion, in words."""
    return [name.replace("_", " ") for name in differing if name not in MAY_DIFFER]


@dataclass(frozen=True)
class Compared:
    """Runs side by side: all that a finding must know of them beside their numbers.

    Attributes:
        names, targets: of each; seeds: of their training, None where unknown.
        adopted: whether penviz did not train a run, whose targets are as stated then; () for none of them.
        differences: config fields in which they differ (`run_differences.differences`).
        recipe: data set and network (`run_differences.recipe_of`), for how far two seeds of it lie apart.
    """

    names: Sequence[str]
    targets: Sequence[Targets]
    seeds: Sequence[int | None]
    adopted: Sequence[bool] = ()
    differences: Sequence[str] = ()
    recipe: tuple[str, str] | None = None

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Compared:
        """What is known of some runs."""
        return cls(
            [run.name for run in runs],
            [targets_of(run) for run in runs],
            [run.seed for run in runs],
            [run.adopted for run in runs],
            differences(runs),
            recipe_of(runs),
        )

    @property
    def stated(self) -> bool:
        """Whether penviz trained none of them."""
        return bool(self.adopted) and all(self.adopted)

    @property
    def alphas(self) -> list[float]:
        """Label smoothing of each, 0 for hard targets."""
        return [t.label_smoothing or 0.0 for t in self.targets]

    @property
    def levels(self) -> list[float]:
        """The different ones, rising."""
        return sorted(set(self.alphas))

    @property
    def sides(self) -> list[list[int]]:
        """Positions of the runs of each level."""
        return [[i for i, a in enumerate(self.alphas) if a == level] for level in self.levels]

    @property
    def soft(self) -> str:
        """How their soft targets are called."""
        return soft_words(self.targets)

    def n_seeds(self, side: Sequence[int]) -> int:
        """Different seeds that are known."""
        return len({self.seeds[i] for i in side} - {None})

    def enough_seeds(self) -> bool:
        """Whether every level has an interval over seeds."""
        known = None not in self.seeds and not self.stated
        return known and min(map(self.n_seeds, self.sides)) >= SEEDS_NEEDED

    def by_seed(self, values: Sequence[float | None], side: Sequence[int]) -> list[float]:
        """One value a seed of some of the runs, from one a run."""
        return one_a_seed((self.seeds[i], values[i]) for i in side)

    def headline(self, moved: str, over: str, both: str = "") -> str:
        """The sentence on two levels: what differs, what it goes with, and over what.

        Args:
            moved: "training clusters are 21 % tighter"; over: "in this pair of networks"; both: values.
        """
        levels = self.levels
        cause = cause_words(self.soft, levels, self.stated)
        return f"{cause}: {moved}{than_words(levels)}{both}, {over}"
