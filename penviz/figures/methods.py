"""The methods paragraph of a bundle, from the configs of its runs, and the BibTeX of what it cites."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from penviz.metrics.target_vectors import Targets
from penviz.metrics.wording import series, targets_words
from penviz.store.runs import Run
from penviz.study.families import alike

BIBTEX = {
    "muller2019": r"""@inproceedings{muller2019,
  title = {When Does Label Smoothing Help?},
  author = {M{\"u}ller, Rafael and Kornblith, Simon and Hinton, Geoffrey},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {32},
  year = {2019}
}""",
    "szegedy2016": r"""@inproceedings{szegedy2016,
  title = {Rethinking the {I}nception Architecture for Computer Vision},
  author = {Szegedy, Christian and Vanhoucke, Vincent and Ioffe, Sergey and Shlens, Jonathon and
    Wojna, Zbigniew},
  booktitle = {Proceedings of the IEEE Conference on Computer Vision and Pattern Recognition},
  pages = {2818--2826},
  year = {2016}
}""",
    "hinton2015": r"""@misc{hinton2015,
  title = {Distilling the Knowledge in a Neural Network},
  author = {Hinton, Geoffrey and Vinyals, Oriol and Dean, Jeff},
  note = {arXiv:1503.02531},
  year = {2015}
}""",
    "penviz": r"""@software{penviz,
  title = {penviz: what training targets do to a classifier's penultimate layer},
  author = {{The penviz authors}},
  version = {0.2.0},
  year = {2026}
}""",
}
"""Key -> entry."""

NAMES = {
    "muller2019": "Müller et al., 2019",
    "szegedy2016": "Szegedy et al., 2016",
    "hinton2015": "Hinton et al., 2015",
    "penviz": "penviz 0.2.0",
}
"""Key -> how plain text cites it; in the paragraph a citation stands as [key]."""

CITED = re.compile(r"\[(muller2019|szegedy2016|hinton2015|penviz)\]")


def methods(runs: Sequence[Run], shown: str) -> str:
    """A paragraph to begin from; only what the records of the runs say.

    Args:
        runs: of the figure; shown: sentences on what is drawn and measured.
    """
    own = [run for run in runs if not run.adopted]
    loose = ("targets", "label_smoothing", "prior", "seed")
    said = [_training([own[i] for i in recipe]) for recipe in alike(own, loose)]
    if adopted := [run.name for run in runs if run.adopted]:
        said.append(f"penviz did not train {series(adopted)} and has no record of how it was done.")
    return " ".join([*said, shown, "Figures were made with penviz [penviz]."])


def _training(runs: Sequence[Run]) -> str:
    c = runs[0].config
    targets = list(
        dict.fromkeys(targets_words(Targets(r.config.targets, r.config.label_smoothing)) for r in runs)
    )
    cited = " [szegedy2016]" if any(r.config.targets == "uniform" for r in runs) else ""
    cited += " [hinton2015]" if any(r.config.targets == "distilled" for r in runs) else ""
    seeds = sorted({run.config.seed for run in runs})
    momentum = f"{'Nesterov ' if c.nesterov else ''}momentum {c.momentum:g}"
    more = [
        f"loss times {c.loss_factor:g}" if c.loss_factor != 1 else "",
        f"gradients clipped at norm {c.clip_norm:g}" if c.clip_norm else "",
        f"dropout {c.dropout:g}" if c.dropout else "",
        f"random crops of {c.crop} pixels" if c.crop else "",
        f"padding of {c.pad} pixels" if c.pad else "",
        "horizontal flips" if c.flip else "",
        f"label noise {c.label_noise:g}" if c.label_noise else "",
        f"{c.data_share:g} of the training data" if c.data_share != 1 else "",
        "weights pretrained on other data" if c.pretrained else "",
    ]
    tail = "".join(f", {words}" for words in more if words)
    return (
        f"We train {c.model} on {c.dataset} with {series(targets)}{cited} for {c.last_epoch} epochs by SGD "
        f"with batches of {c.batch_size}, {momentum}, learning rate {c.lr:g} ({c.schedule} schedule) and "
        f"weight decay {c.weight_decay:g}{tail}; "
        f"training seed{'s' if len(seeds) > 1 else ''} {series([*map(str, seeds)])}."
    )


def methods_files(words: str, latex: Callable[[str], str]) -> dict[str, str]:
    """The paragraph as text and as LaTeX, and the entries that it cites.

    Args:
        words: with citations as [key]; latex: text -> the same for LaTeX.
    """
    keys = list(dict.fromkeys(CITED.findall(words)))
    parts = CITED.split(words)  # text, key, text, key, ...
    cited = [rf"\cite{{{part}}}" if i % 2 else latex(part) for i, part in enumerate(parts)]
    return {
        "methods.txt": CITED.sub(lambda found: f"({NAMES[found[1]]})", words) + "\n",
        "methods.tex": "".join(cited) + "\n",
        "references.bib": "\n\n".join(BIBTEX[key] for key in keys) + "\n",
    }
