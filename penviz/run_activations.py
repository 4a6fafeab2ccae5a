"""The activations of a run as every front end reads them: one name, and something to span planes with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from penviz.activations import Activations
from penviz.measure.class_means import with_class_means
from penviz.measure.target_vectors import Targets
from penviz.runs import SPLITS, Run, activations_path


def ready(run: Run, splits: Mapping[str, Activations]) -> dict[str, Activations]:
    """Activations under the run's own name, and with class means where the network has no head.

    The name is that of the directory and not the one in the file, so that a run can be renamed.
    """
    looked = bool(run.adoption.quick_look)
    return with_class_means(
        {s: replace(a, run=run.name, partial=a.partial or looked) for s, a in splits.items()}
    )


def load(run: Run, splits: Sequence[str] = SPLITS) -> dict[str, Activations]:
    """Those of some splits that exist, by split; ActivationsError for a file that cannot be read."""
    found = [s for s in run.splits() if s in splits]
    return ready(run, {s: Activations.load(activations_path(run.directory, s)) for s in found})


def targets_of(run: Run) -> Targets:
    """What a run was asked to say, with the prior that its training measured on its labels."""
    prior = run.config.prior or tuple(run.record.get("prior") or ())
    return Targets(run.config.targets, run.config.label_smoothing, prior)


def classes_held(runs: Sequence[Mapping[str, Activations]]) -> list[int]:
    """Rows of the classes that all of some runs can draw: all of them, unless one is a quick look."""
    held = [set(range(len(a.class_names))) for run in runs for a in run.values()]
    held += [set(a.labels.tolist()) for run in runs for a in run.values() if a.partial]
    return sorted(set.intersection(*held)) if held else []


def first_classes(runs: Sequence[Mapping[str, Activations]]) -> tuple[int, int, int]:
    """The first three classes that all of some runs can draw; the first three of all where there are none."""
    held = classes_held(runs)
    return (held[0], held[1], held[2]) if len(held) >= 3 else (0, 1, 2)


def notes(run: Run, splits: Mapping[str, Activations]) -> list[str]:
    """Sentences that must stand wherever the run is drawn: what is not known of it, and what is in doubt.

    Args:
        run: one; splits: its activations (`ready`).
    """
    said = []
    if run.adopted:
        known = "not known" if run.config.label_smoothing is None else "as stated"
        said.append(f"penviz did not train {run.name}; its targets are {known}.")
    if run.adoption.recipe:
        said.append(f"The training of {run.name} also had {', '.join(run.adoption.recipe)}.")
    if run.adoption.warning:
        said.append(f"{run.name}: {run.adoption.warning}")
    one = next(iter(splits.values()), None)
    if one is None:
        return said
    if one.class_means is not None:
        said.append(
            f"{run.name} has no single linear head: its class means on {one.class_means.split} stand in for "
            "templates, lines part the nearest class means, and nothing that needs logits is shown."
        )
    if one.predicted_by != "network":
        said.append(f"The predictions of {run.name} are those of the {one.predicted_by}, not of its network.")
    if one.partial:
        said.append(f"{run.name} is a quick look at some classes: numbers over all need the full pass.")
    return said
