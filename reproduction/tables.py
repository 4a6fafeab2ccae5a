"""The tables of the report, as Markdown, from the rows of results.csv and what was published; nothing else.

A row of a table is over the seeds of one recipe, so that tiers are never mixed in it. Students that learned
from a teacher stand in a table of their own (distillation.py).
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from penviz.metrics.tightness.training_time import FIT
from penviz.store.run_config import RunError
from reproduction.manifest import HERE, Listed, Manifest, Recipe, by_recipe
from reproduction.results import Row

NOTHING = "–"
Tiers = Sequence[str]


def read_published(path: Path = HERE / "published.yaml") -> dict[str, Any]:
    """What the paper and the replication print, by what recipes stand for."""
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


class Results:
    """Rows of results.csv with the manifest they belong to, by recipe, smoothing and split.

    `rows` are those of runs on labels, `students` those of runs with a teacher; no table mixes them.

    Raises:
        RunError: a row names another recipe than the manifest does.
    """

    def __init__(self, manifest: Manifest, rows: Sequence[Row], tiers: Tiers, published: Mapping[str, Any]):
        self.manifest, self.published = manifest, published
        known = {run.id: run for run in manifest.runs}
        order = list(manifest.recipes)
        shown = [r for r in rows if r["id"] in known and known[r["id"]].recipe.tier in tiers]
        for row in shown:
            if row["recipe"] != known[row["id"]].recipe.name:
                raise RunError(
                    f"The table says that {row['id']} is of the recipe {row['recipe']}, the manifest says "
                    f"{known[row['id']].recipe.name}: take out the rows of that run."
                )
        shown.sort(key=lambda r: (order.index(r["recipe"]), int(r["seed"])))
        self.rows = [r for r in shown if not r["teacher"]]
        self.rows.sort(key=lambda r: (order.index(r["recipe"]), float(r["label_smoothing"])))
        self.students = [r for r in shown if r["teacher"]]
        self.tiers = tiers

    def measured(self) -> set[str]:
        """The ids of all measured runs, students included."""
        return {row["id"] for row in (*self.rows, *self.students)}

    def recipes(self, students: bool = False) -> list[Recipe]:
        """Recipes with at least one measured run on labels, or a student where these count too."""
        measured = {row["recipe"] for row in (*self.rows, *(self.students if students else ()))}
        return [recipe for name, recipe in self.manifest.recipes.items() if name in measured]

    def paper_name(self, recipe: Recipe) -> str:
        """What a recipe stands for in the paper."""
        return str(self.published[recipe.stands_for]["name"]) if recipe.stands_for else NOTHING

    def smoothings(self, recipe: Recipe) -> list[float]:
        """Values of alpha with at least one measured run, rising."""
        return sorted({float(r["label_smoothing"]) for r in self.rows if r["recipe"] == recipe.name})

    def seeds(self, recipe: Recipe, alpha: float, split: str) -> list[Row]:
        """The rows of all seeds."""
        return [
            r
            for r in self.rows
            if r["recipe"] == recipe.name and float(r["label_smoothing"]) == alpha and r["split"] == split
        ]

    def values(self, recipe: Recipe, alpha: float, split: str, column: str) -> list[float]:
        """A column over the seeds that have it."""
        return [float(r[column]) for r in self.seeds(recipe, alpha, split) if r[column]]

    def printed(self, recipe: Recipe, alpha: float, source: str) -> Mapping[str, float]:
        """What a source prints for this network and smoothing."""
        entry = self.published.get(recipe.stands_for, {})
        return dict(entry.get(source, {}).get(alpha, {}))


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table; a sentence where it has no lines."""
    if not lines:
        return "Nothing has been run for this yet."
    table = [list(head), ["---"] * len(head), *map(list, lines)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in table)


def over_seeds(values: Sequence[float], text: Callable[[float], str]) -> str:
    """Mean, and the standard deviation over seeds from two of them on."""
    if not values:
        return NOTHING
    mean = text(statistics.fmean(values))
    return mean if len(values) == 1 else f"{mean} ± {text(statistics.stdev(values)).removeprefix('+')}"


def percent(value: float) -> str:
    """A share in per cent, two decimals: what a run of 10,000 examples resolves."""
    return f"{100 * value:.2f}"


def change(value: float) -> str:
    """A relative change or a difference of shares, in per cent or points, with its sign."""
    return f"{100 * value:+.1f}".replace("-", "−")


def count(cell: str) -> str:
    """A number of examples."""
    return f"{int(cell):,}"


def three(value: float) -> str:
    """Three significant digits."""
    return f"{value:#.3g}".rstrip(".")


def _printed(value: float | None, text: Callable[[float], str], spread: float | None = None) -> str:
    if value is None:
        return NOTHING
    return text(value) if spread is None else f"{text(value)} ± {text(spread)}"


def _one_decimal(value: float) -> str:
    return f"{100 * value:.1f}"


def accuracy(results: Results) -> str:
    """Table 2, and the networks of Figure 5: accuracy of every network against alpha."""
    lines = []
    for recipe in results.recipes():
        for alpha in results.smoothings(recipe):
            paper, other = (results.printed(recipe, alpha, s) for s in ("paper", "replication"))
            ours = results.values(recipe, alpha, "validation", "accuracy")
            less = NOTHING
            if ours and "accuracy" in paper:
                less = change(statistics.fmean(ours) - paper["accuracy"])
            lines.append(
                [
                    recipe.tier,
                    results.paper_name(recipe),
                    _network(results, recipe),
                    f"{alpha:g}",
                    _printed(paper.get("accuracy"), _one_decimal, paper.get("accuracy_spread")),
                    _printed(other.get("accuracy"), percent),
                    over_seeds(ours, percent),
                    less,
                    *(
                        over_seeds(results.values(recipe, alpha, split, "accuracy"), percent)
                        for split in ("test", "train")
                    ),
                    str(len(ours)),
                ]
            )
    head = ["tier", "in the paper", "here", "α", "paper", "replication", "ours, validation"]
    return markdown([*head, "ours − paper", "ours, test", "ours, train", "seeds"], lines)


def _network(results: Results, recipe: Recipe) -> str:
    """A network and how long it was trained, because several recipes may train the same one."""
    epochs = "/".join(sorted({r["epochs"] for r in results.rows if r["recipe"] == recipe.name}))
    return f"{recipe.model}, {epochs} epochs"


def calibration(results: Results) -> str:
    """Table 3: ECE as it is, the fitted temperature, and ECE at it of examples that it was not fitted on."""
    lines = []
    for recipe in results.recipes():
        for alpha in results.smoothings(recipe):
            rows = [r for r in results.seeds(recipe, alpha, "validation") if r["ece"]]
            if not rows:
                continue
            cells = [recipe.tier, results.paper_name(recipe), _network(results, recipe), f"{alpha:g}"]
            for column, key, text in (
                ("ece", "ece", _ece),
                ("temperature", "temperature", "{:.2f}".format),
                ("ece_other_at_temperature", "ece_at_temperature", _ece),
            ):
                for source in ("paper", "replication"):
                    cells.append(_printed(results.printed(recipe, alpha, source).get(key), text))
                cells.append(over_seeds(results.values(recipe, alpha, "validation", column), text))
            lines.append(
                [
                    *(*cells, count(rows[0]["n_stored"])),
                    f"{count(rows[0]['n_fit'])} / {count(rows[0]['n_other'])}",
                    str(len(rows)),
                ]
            )
    head = ["tier", "in the paper", "here", "α"]
    for number in ("ECE", "T", "ECE at T"):
        head += [f"{number}, paper", "replication", "ours"]
    return markdown([*head, "n", "n for T / for ECE at T", "seeds"], lines)


def _ece(value: float) -> str:
    return f"{value:.4f}"


def tightness(results: Results) -> str:
    """Figure 1 in numbers: each triple of each network, split and alpha."""
    lines = []
    for recipe in results.recipes():
        for k, triple in enumerate(recipe.triples, start=1):
            for alpha in results.smoothings(recipe):
                for split in ("train", "validation"):
                    rows = results.seeds(recipe, alpha, split)
                    if any(row[f"triple{k}_rho_d"] for row in rows):
                        lines.append(_tightness_line(results, recipe, k, triple, alpha, split))
    head = ["tier", "network", "classes", "α", "split", "ρ/d", "change from hard targets, %", "regularity"]
    head += ["distance", "axis", "axis, paper", "towards the centre, %", "n", "seeds"]
    return markdown(head, lines)


def _tightness_line(
    results: Results, recipe: Recipe, k: int, triple: Sequence[int], alpha: float, split: str
) -> list[str]:
    rows = results.seeds(recipe, alpha, split)

    def values(name: str) -> list[float]:
        return results.values(recipe, alpha, split, f"triple{k}_{name}")

    printed = results.printed(recipe, alpha, "paper").get("axis")
    return [
        recipe.tier,
        f"{recipe.dataset}: {_network(results, recipe)}",
        ", ".join(map(str, triple)),
        f"{alpha:g}",
        split,
        over_seeds(values("rho_d"), three) + _interval(rows, f"triple{k}_rho_d", three),
        over_seeds(values("change"), change) + _interval(rows, f"triple{k}_change", change),
        over_seeds(values("regularity"), three),
        over_seeds(values("distance"), three),
        over_seeds(values("axis"), three),
        _printed(printed, lambda value: f"{value:g}"),
        over_seeds(values("towards_centre"), _one_decimal),
        count(rows[0][f"triple{k}_n"]),
        str(len(rows)),
    ]


def _interval(rows: Sequence[Row], column: str, text: Callable[[float], str]) -> str:
    """The 95 % interval over examples of a single run; several runs show their spread instead."""
    if len(rows) != 1 or not rows[0][f"{column}_low"]:
        return ""
    return f" [{text(float(rows[0][f'{column}_low']))}, {text(float(rows[0][f'{column}_high']))}]"


def logits(results: Results) -> str:
    """What smoothing asks of the logits: their gap, and the spread of the wrong ones."""
    lines = []
    for recipe in results.recipes():
        for alpha in results.smoothings(recipe):
            for split in ("train", "validation"):
                columns = [results.values(recipe, alpha, split, c) for c in ("gap", "spread", "nll")]
                if columns[0]:
                    cells = [over_seeds(values, three) for values in columns]
                    network = _network(results, recipe)
                    lines.append([recipe.tier, network, recipe.dataset, f"{alpha:g}", split, *cells])
    head = ["tier", "network", "data", "α", "split", "gap, nats", "spread of the wrong logits, nats"]
    return markdown([*head, "NLL, nats"], lines)


def recipes(results: Results) -> str:
    """Every recipe, how much of it was run, and the command of its first run and of its first student."""
    measured = results.measured()
    parts = []
    for name, runs in by_recipe(results.manifest.runs).items():
        tier = results.manifest.recipes[name].tier
        if tier in results.tiers:
            done = sum(run.id in measured for run in runs)
            said = f"Tier {tier}, {name}, {done} of {len(runs)} runs measured. "
            alone, taught = ([run for run in runs if (run.teacher is None) == kind] for kind in (True, False))
            for word, first in (("run", alone[:1]), ("student", taught[:1])):
                for run in first:
                    command = run.command("runs/reproduction").replace(" --", " \\\n  --")
                    parts.append(f"{said}Its first {word}:\n\n```\n{command}\n```")
                    said = ""
    return "\n\n".join(parts)


def not_run(results: Results) -> str:
    """The runs of the manifest that results.csv lacks, by recipe and purpose."""
    measured = results.measured()
    groups: dict[tuple[str, str], list[Listed]] = {}
    for run in results.manifest.runs:
        if run.recipe.tier in results.tiers and run.id not in measured:
            groups.setdefault((run.recipe.name, ", ".join(run.purposes)), []).append(run)
    lines = []
    for (name, purpose), left in groups.items():
        alphas = sorted({f"{(run.teacher or run).label_smoothing:g}" for run in left})
        temperatures = sorted({run.temperature for run in left if run.temperature is not None})
        heat = ", ".join(f"{value:g}" for value in temperatures) or NOTHING
        seeds = sorted({str(run.seed) for run in left})
        tier = results.manifest.recipes[name].tier
        lines.append([tier, name, purpose, ", ".join(alphas), heat, ", ".join(seeds), str(len(left))])
    head = ["tier", "recipe", "for", "α; a student's: its teacher's", "T", "seeds", "runs"]
    return markdown(head, lines) if lines else "Every run of the manifest was made."


def runs(results: Results) -> str:
    """Where the numbers come from: one line a run, with its gate (its planned epochs) and whether it fits."""
    lines = []
    every = (*results.rows, *results.students)
    fitted = {row["id"]: float(row["accuracy"]) for row in every if row["split"] == "train"}
    for row in every:
        if row["split"] == "validation":
            machine, versions = json.loads(row["machine"]), json.loads(row["versions"])
            threads = f", {machine['threads']} thread(s)" if machine["device"] == "cpu" else ""
            lines.append(
                [
                    *(row["tier"], row["id"], row["label_smoothing"] or NOTHING, row["seed"], row["epochs"]),
                    "yes" if fitted.get(row["id"], 0.0) >= FIT else "no",
                    f"{float(row['seconds']) / 60:.1f}",
                    f"{machine['device']}{threads}",
                    *(versions["penviz"], versions["torch"]),
                    f"`{row['model_sha256'][:12]}`",
                ]
            )
    head = ["tier", "run", "α", "seed", "epochs, all trained", "fits", "minutes", "device", "penviz", "torch"]
    return markdown([*head, "sha256 of the model"], lines)
