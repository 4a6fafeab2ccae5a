"""Two similar classes and a distant one (Figure 1, row 4), as a table of the report."""

from __future__ import annotations

from reproduction.tables import NOTHING, Results, markdown, over_seeds, percent, three

SPLITS = ("train", "validation")


def arc(results: Results) -> str:
    """A line an alpha and split of every recipe that names three such classes."""
    lines = []
    for recipe in results.recipes():
        if recipe.arc is None:
            continue
        for split in SPLITS:
            for alpha in results.smoothings(recipe):
                isotropy = results.values(recipe, alpha, split, "arc_isotropy")
                continuum = results.values(recipe, alpha, split, "arc_continuum")
                network = f"{recipe.dataset}: {recipe.model}, {recipe.options['epochs']} epochs"
                cells = [recipe.tier, network, ", ".join(recipe.arc), split, f"{alpha:g}"]
                cells += [over_seeds(isotropy, three), over_seeds(continuum, percent)]
                lines.append([*cells, str(len(isotropy)) if isotropy else NOTHING])
    head = ["tier", "network", "two similar classes and a distant one", "split", "α"]
    return markdown([*head, "radial / tangential", "in the middle third, %", "seeds"], lines)
