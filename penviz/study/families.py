"""Runs that belong to one curve: those that differ only in label smoothing and seed."""

from __future__ import annotations

from collections.abc import Sequence

from penviz.store.run_differences import differences, other_data
from penviz.store.runs import Run

LOOSE = ("label_smoothing", "targets", "prior", "seed")
"""Config fields in which the runs of one network may differ: what it was asked to say, and the seed."""


def alike(runs: Sequence[Run], loose: Sequence[str]) -> list[list[int]]:
    """Positions of runs that differ in nothing but some fields, together, in the order in which they come."""
    found: list[list[int]] = []
    for i, run in enumerate(runs):
        own = next((part for part in found if not set(differences([runs[part[0]], run])) - set(loose)), None)
        if own is None:
            found.append([i])
        else:
            own.append(i)
    return found


def networks(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs on the same data that differ only in the fields of LOOSE, in the order in which they come."""
    found: dict[tuple[object, ...], list[list[Run]]] = {}
    for run in runs:
        loose = (*LOOSE, "dataset")
        key = tuple(str(value) for name, value in run.config.to_json().items() if name not in loose)
        alike = found.setdefault(key, [])
        own = next((part for part in alike if not other_data(part[0], run)), None)
        if own is None:
            alike.append([run])
        else:
            own.append(run)
    return [part for alike in found.values() for part in alike]


def families(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs that differ only in alpha and seed, by the words that tell them apart from the others.

    Hard targets belong to every kind of soft targets but those of K sigmoids, which have another loss. Runs
    of unknown targets belong nowhere, and a single alpha is no curve: it is left out as long as there are
    others.
    """
    known = [run for run in runs if not run.adopted and run.config.label_smoothing is not None]
    parts: list[list[Run]] = []
    for members in networks(known):
        kinds = dict.fromkeys(_kind(run) for run in members if run.config.label_smoothing)
        hard = [run for run in members if not run.config.label_smoothing]
        alone = all(kind == "binary" for kind, _ in kinds)
        parts += [hard] if hard and alone else []
        for kind in kinds:
            soft = [run for run in members if run.config.label_smoothing and _kind(run) == kind]
            parts.append(soft if kind[0] == "binary" else [*hard, *soft])
    swept = [part for part in parts if len({run.config.label_smoothing for run in part}) > 1] or parts
    swept.sort(key=lambda part: (-len(part), part[0].name))
    return dict(zip(told_apart(swept), swept, strict=True))


def _kind(run: Run) -> tuple[str, object]:
    """What soft targets are towards: hard ones have no prior, and belong to each."""
    return run.config.targets, run.config.prior


def told_apart(
    parts: Sequence[Sequence[Run]], loose: Sequence[str] = ("label_smoothing", "seed")
) -> list[str]:
    """The network of each, with the fields in which it differs from another of the same network.

    Args:
        parts: each of runs that are alike; loose: fields that do not tell them apart.
    """
    words = []
    for part in parts:
        mine = [part[-1].config]
        others = [p[-1].config for p in parts if p is not part and p[-1].config.model == mine[0].model]
        fields = dict.fromkeys(f for other in others for f in mine[0].differences(other) if f not in loose)
        said = [f"{f.replace('_', ' ')} {_value(getattr(mine[0], f))}" for f in fields]
        words.append(", ".join([mine[0].model, *said]))
    taken: dict[str, int] = {}
    for i, word in enumerate(words):
        taken[word] = taken.get(word, 0) + 1
        if taken[word] > 1:
            words[i] = f"{word} ({taken[word]})"
    return words


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
