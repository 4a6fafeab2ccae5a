"""What others found about teachers with smoothed labels, and what the articles make of it, for the page."""

from __future__ import annotations

from html import escape

from penviz.app.style import SCROLLER

MEANING = (
    "A student learns from what a teacher says about the other classes. The numbers below measure "
    "how much of that is left: lower means less about the other classes. That is not a student's "
    "accuracy; only a trained student shows what a teacher is worth."
)

FOUND = (
    (
        "Müller et al. 2019",
        "Smoothed teachers are better and teach worse. MNIST, test error: a hard teacher with 0.67 % gives a "
        "student with 0.74 %, a smoothed one with 0.59 % a student with 0.91 %. On CIFAR-10 every student of "
        "the hard teacher at some T beats the student alone; those of smoothed teachers at T = 1 do not.",
    ),
    (
        "Lukasik et al. 2020",
        "Where the labels are noisy it is the other way round: smoothing the teacher helps its student.",
    ),
    (
        "Shen et al. 2021",
        "ImageNet, ResNet-50 teaching ResNet-18: 71.43 % from the hard teacher, 71.82 % from the smoothed "
        "one; ResNet-50 teaching itself: 76.33 and 77.05 %. Smoothing removes what dissimilar classes "
        "have in common and pulls similar ones apart.",
    ),
    (
        "Chandrasegaran et al. 2022",
        "It depends on the temperature: at T = 1 the smoothed teacher is ahead, at T = 2 the hard one. A "
        "raised T, they say, moves the features of a smoothed teacher's student towards similar classes.",
    ),
)
"""Article -> what it found, in numbers where it gives them."""

CHANDRASEGARAN = (
    ("ResNet-50 teaches ResNet-18", ((71.49, 71.67), (71.36, 68.86), (69.67, 67.75))),
    ("ResNet-50 teaches ResNet-50", ((76.33, 76.90), (76.18, 76.11), (75.49, 75.79))),
)
"""ImageNet top-1 of the student in %, (hard teacher, smoothing 0.1) at T = 1, 2, 3."""

ADVICE = (
    (
        "“Never smooth a teacher's labels.”",
        "That held for Müller's networks, and for ResNet-18 students at T = 2 and 3, but not at T = 1, in "
        "Shen's experiments or under label noise.",
    ),
    (
        "“Smooth the teacher and keep T = 1.”",
        "Chandrasegaran's advice. In Müller's experiments, students of smoothed teachers at T = 1 were no "
        "better than the same network trained alone with smoothed labels.",
    ),
    (
        "“Tight clusters prove that nothing is left to teach.”",
        "What is left is in the non-target logits, which no picture of three classes shows.",
    ),
)
"""What is advised -> what speaks against it."""


def found_html() -> str:
    """What others found, and the numbers by temperature."""
    blocks = "".join(f"<div><b>{escape(who)}</b><p>{escape(what)}</p></div>" for who, what in FOUND)
    head = "".join(f'<th class="pz-split" colspan="2">T = {t}</th>' for t in (1, 2, 3))
    second = '<th class="pz-split">hard</th><th>soft 0.1</th>' * 3
    rows = ""
    for name, pairs in CHANDRASEGARAN:
        cells = "".join(
            f'<td class="pz-split">{_bold(hard, hard > soft)}</td><td>{_bold(soft, soft > hard)}</td>'
            for hard, soft in pairs
        )
        rows += f"<tr><td>{escape(name)}<small>student's top-1 on ImageNet, %</small></td>{cells}</tr>"
    return (
        f'<div class="pz-fits pz-pairs">{blocks}</div>{SCROLLER}<table class="pz-table">'
        "<thead><tr>"
        f'<th rowspan="2">Chandrasegaran et al. 2022</th>{head}</tr><tr class="pz-second">{second}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )


def advice_html() -> str:
    """What is advised, each with the evidence against it."""
    blocks = "".join(f"<div><b>{escape(said)}</b><p>{escape(but)}</p></div>" for said, but in ADVICE)
    return f'<div class="pz-fits">{blocks}</div>'


def _bold(value: float, best: bool) -> str:
    return f"<b>{value:.2f}</b>" if best else f"{value:.2f}"
