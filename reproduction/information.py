"""Mutual information of the two classes that a recipe names (Figure 6): of a finished run, and its table."""

from __future__ import annotations

import math
from pathlib import Path

from penviz.store.runs import Run
from reproduction.manifest import Listed
from reproduction.tables import NOTHING, Results, count, markdown, over_seeds, three


def measure_information(listed: Listed, run: Run, data_dir: Path) -> dict[str, object]:
    """`results.INFORMATION` of a finished run, none where its recipe names no classes; seconds, on a CPU too.

    The network, the examples and the draws are those of the last epoch that a training follows.
    """
    recipe = listed.recipe
    if recipe.erasure is None:
        return {}
    from penviz.metrics.information import mutual_information
    from penviz.training import checkpoints, data, erasure

    loaded = data.load(recipe.dataset, seed=run.config.held_out_seed, data_dir=data_dir)
    checkpoints.check_data(run, loaded, ("train",))
    network = checkpoints.load_network(run).to(checkpoints.choose_device(recipe.device))
    pair = erasure.class_pair(loaded.class_names, recipe.erasure)
    differences = erasure.augmented_differences(network, loaded.splits["train"], run.config, pair)
    return {
        "information": mutual_information(differences[0], differences[1:]),
        "information_classes": ", ".join(recipe.erasure),
        "information_n": differences.shape[1],
        "information_samples": len(differences) - 1,
    }


def information(results: Results) -> str:
    """Figure 6 at its end: what finished networks still tell of the examples of two classes."""
    lines = []
    for recipe in results.recipes():
        if recipe.erasure is None:
            continue
        for alpha in results.smoothings(recipe):
            rows = [row for row in results.seeds(recipe, alpha, "train") if row["information"]]
            cells = [recipe.tier, recipe.model, recipe.dataset, ", ".join(recipe.erasure), f"{alpha:g}"]
            if not rows:
                lines.append([*cells, *[NOTHING] * 4, "0"])
                continue
            n = int(rows[0]["information_n"])
            values = results.values(recipe, alpha, "train", "information")
            cells += [over_seeds(values, three), f"{math.log(n):.2f}", count(str(n))]
            lines.append([*cells, rows[0]["information_samples"], str(len(rows))])
    head = ["tier", "network", "data", "classes", "α", "mutual information, nats", "ln n", "n"]
    return markdown([*head, "samples an example", "seeds"], lines)
