"""Every number that penviz shows: what it is called, what it means, in what unit, and what computes it."""

from __future__ import annotations

from dataclasses import dataclass, replace

PLANE, TRIPLE, ALL = "triple, in the plane", "triple, in feature space", "all classes"
"""Scopes: which classes a number is over, and where it is measured."""

MEASURE, GEOMETRY, CALIBRATION, SWEEP = "measure", "geometry", "calibration", "sweep"
"""Tables that numbers stand in: all of some runs; neural collapse; calibration; what only a sweep has."""

LEAST_RELATIVE = 0.02
"""Least relevant change of a relative number, and of any mean over seeds."""


@dataclass(frozen=True)
class Number:
    """One number.

    Attributes:
        key: its name in `Panel.metrics` and JSON.
        label: its name on the page.
        meaning: one line in plain words.
        unit: "feature units", "weight units", "nats", "share" (in [0, 1]) or "" for a pure number.
        scale_free: unchanged when all features are multiplied by a factor and the weights divided by it,
            which leaves the network as it is. Ratios of lengths in the plane are so only where no bias is a
            coordinate of a template (`without_bias`): the appended 1 does not grow with the features.
        relative: its change is after / before - 1, else after - before.
        least: least relevant change: 2 % of a relative one, half a point of a share, else 0.01 of the unit
            when not given.
        scope: PLANE, TRIPLE or ALL.
        tables: those it stands in.
        where: the module that computes it.
    """

    key: str
    label: str
    meaning: str
    unit: str = ""
    scale_free: bool = True
    relative: bool = True
    least: float = 0.0
    scope: str = ALL
    tables: tuple[str, ...] = (MEASURE,)
    where: str = ""

    def __post_init__(self) -> None:
        usual = LEAST_RELATIVE if self.relative else 0.005 if self.unit == "share" else 0.01
        object.__setattr__(self, "least", self.least or usual)

    def without_bias(self) -> Number:
        """The same number in a plane whose templates hold no bias."""
        return replace(self, scale_free=True) if self.key in _LENGTHS else self


_LENGTHS = ("rho_d", "plane_share", "rho_d_correct", "within_total", "regularity", "radius_ratio")
"""Ratios of lengths in the plane."""


def _length(key: str, label: str, meaning: str, unit: str = "feature units") -> Number:
    return Number(key, label, meaning, unit, scale_free=False)


def _share(key: str, label: str, meaning: str, least: float = 0.0) -> Number:
    """A share whose change is a difference."""
    return Number(key, label, meaning, "share", relative=False, least=least)


def _difference(key: str, label: str, meaning: str, unit: str = "") -> Number:
    return Number(key, label, meaning, unit, relative=False)


_ROWS = "RMS distance to the mean of this class"
_CENTRE = "share whose probability among the three is below 0.9"
_CHANCE = "ECE expected if perfectly calibrated"
_EXPECTED = "mean over labels drawn from these probabilities, at this n"
_REGULAR = "0 in a regular simplex"
_HEAD = "of the head's templates"
_NORM = "the same with the p-norm normalised logit"

_PLANE_NUMBERS = (
    _length("rho_d", "radius / distance", "how wide clusters are for their distance; less is tighter", ""),
    _length("rho", "radius", "RMS distance of examples to the mean of their class, over the three"),
    _length("distance", "distance", "mean of the three distances between class means"),
    _length("plane_share", "variance in plane", "share of the three classes' variance in it", "share"),
    _length("off_plane", "distance off the plane", "RMS distance of examples from the plane"),
    _length(
        "rho_d_correct", "radius / distance, errors left out", "as the first, over correct predictions", ""
    ),
    _length("rho_0", "radius, first class", _ROWS),
    _length("rho_1", "radius, second class", _ROWS),
    _length("rho_2", "radius, third class", _ROWS),
    _length(
        "within_total", "within / total scatter", "share of the scatter that lies inside classes", "share"
    ),
    Number(
        "regularity", "regularity", "1 - std / mean of the triangle's sides; 1 is regular", "", False, False
    ),
    _share("towards_centre_0", "towards the centre, first class", _CENTRE),
    _share("towards_centre_1", "towards the centre, second class", _CENTRE),
    _share("towards_centre_2", "towards the centre, third class", _CENTRE),
    _length("radius_ratio", "held-out / train radius", "above 1: clusters are wider on new examples", ""),
)

_SPACE_NUMBERS = (
    _length("space_radius", "radius, all classes", "RMS distance to the class mean in feature space"),
    _length("space_distance", "distance, all classes", "mean distance between class means"),
    Number("space_ratio", "radius / distance, all classes", "how wide all clusters are for their distance"),
    Number("space_within_total", "within / total scatter, all classes", "share inside classes", "share"),
    _difference(
        "class_separation",
        "R² of cosine distances",
        "1 - within / total cosine distance (Kornblith et al. 2021)",
    ),
    Number("nc1", "NC1", "tr(S_W S_B⁺) / K: scatter inside classes against between them"),
    Number("cdnv", "CDNV", "variance over squared distance, mean over pairs of classes"),
)

_LOGIT_NUMBERS = (
    Number("gap", "logit gap", "true logit minus the mean of the non-target ones", "nats"),
    Number("gap_ratio", "logit gap / optimum", "1 where smoothing wants it; hard targets have none"),
    Number(
        "spread",
        "spread of the non-target logits",
        "their standard deviation, mean over examples; 0 at the label-smoothing optimum",
        "nats",
    ),
    _share("accuracy", "accuracy", "share of correct predictions; no temperature changes it"),
    _share(
        "accuracy_gap", "train minus held-out accuracy", "how much better it is on what it was trained on"
    ),
    _share("top5", "top-5 accuracy", "true class among the five likeliest; from 6 classes on"),
    _share("confidence", "confidence", "mean of the largest probability"),
    _difference("nll", "NLL", "mean of -log probability of the label, of hard labels for all", "nats"),
    _share(
        "ece",
        "ECE",
        "mean |accuracy - confidence| over 15 bins of equal width, at temperature 1 unless another is named",
        least=0.02,
    ),
)

_CALIBRATION_NUMBERS = (
    _share("ece_floor", _CHANCE, _EXPECTED),
    _share("adaptive_ece", "adaptive ECE", "the same over 15 bins of equal count"),
    _share("adaptive_ece_floor", f"adaptive {_CHANCE}", _EXPECTED),
    _share("classwise_ece", "classwise ECE", "mean over classes of the ECE of their probability"),
    _share("classwise_ece_floor", f"classwise {_CHANCE}", _EXPECTED),
    _share("smooth_ece", "smooth ECE", "without bins, at its own bandwidth"),
    _share("smooth_ece_floor", f"smooth {_CHANCE}", _EXPECTED),
    _share(
        "rms_ece", "RMS calibration error", "root mean squared gap over the bins of ECE, free of its bias"
    ),
    _share("confidence_gap", "confidence - accuracy", "above 0: confidence exceeds accuracy"),
    _difference("brier", "Brier score", "sum over classes of squared error of the probability, 0 to 2"),
    _share("ece_lowest", "ECE, T of minimum ECE", "T chosen by ECE instead of NLL"),
    _share("ece_lowest_floor", "ECE, T of minimum ECE, expected if perfectly calibrated", _EXPECTED),
    _share("ece_isotonic", "ECE, isotonic", "confidence mapped by isotonic regression"),
    _share("ece_isotonic_floor", "ECE, isotonic, expected if perfectly calibrated", _EXPECTED),
    _share("ece_platt", "ECE, Platt", "confidence mapped by Platt's logistic fit"),
    _share("ece_platt_floor", "ECE, Platt, expected if perfectly calibrated", _EXPECTED),
    _share("aurc_softmax", "AURC, max-softmax", "mean risk over all coverages; lower: errors come last"),
    _share("aurc_logit", "AURC, max-logit", "the same with the largest logit as score"),
    _share("aurc_norm", "AURC, p-norm logit", _NORM),
    _difference("naurc_softmax", "NAURC, max-softmax", "free of accuracy: 0 a perfect order, 1 a random one"),
    _difference("naurc_logit", "NAURC, max-logit", "the same with the largest logit"),
    _difference("naurc_norm", "NAURC, p-norm logit", _NORM),
)

_GEOMETRY_NUMBERS = (
    Number("nc1_trace", "NC1, ratio of traces", "tr S_W / tr S_B: no inverse, no rank"),
    Number(
        "vci",
        "VCI",
        "1 - tr(S_T⁺ S_B) / rank S_B (Xu & Liu 2023); 0 is collapse, no linear map changes it",
    ),
    Number(
        "means_equinorm",
        "NC2, equal norms, class means",
        f"std / mean of the norms of centred class means; {_REGULAR}",
    ),
    Number(
        "means_equiangular",
        "NC2, equal angles, class means",
        f"std of the cosines between centred class means; {_REGULAR}",
    ),
    Number(
        "means_angle",
        "NC2, largest angles, class means",
        f"mean |cosine + 1 / (K - 1)| between centred class means; {_REGULAR}",
    ),
    Number(
        "means_etf",
        "NC2, distance to a simplex, class means",
        "of the normalised Gram matrix from that of a regular simplex, Frobenius norm; "
        "0 to sqrt(2 - 2 / sqrt(K - 1))",
    ),
    Number("templates_equinorm", "NC2, equal norms, templates", f"the same {_HEAD}, without the bias"),
    Number("templates_equiangular", "NC2, equal angles, templates", f"the same {_HEAD}"),
    Number("templates_angle", "NC2, largest angles, templates", f"the same {_HEAD}"),
    Number("templates_etf", "NC2, distance to a simplex, templates", f"the same {_HEAD}"),
    Number(
        "nc3",
        "NC3, templates and class means",
        "squared distance of the two, centred and of norm 1; 0 is self-duality, 2 orthogonal",
    ),
    _difference(
        "alignment",
        "alignment",
        "mean cosine of a class mean and its template, both centred; 1 under collapse",
    ),
    _share(
        "nc4",
        "NC4, another class mean is nearest",
        "share of predictions that are not the nearest class mean of train",
    ),
    _length("feature_norm", "norm of the features", "mean over examples, not centred"),
    _length("centred_norm", "norm of the class means", "mean over classes, centred"),
    _length("weight_norm", "norm of the templates", "mean over classes, without the bias", "weight units"),
    Number(
        "feature_rank",
        "effective rank of the features",
        "exp of the entropy of their singular values, centred; 1 to d (Roy & Vetterli 2007)",
    ),
    Number(
        "mean_rank",
        "effective rank of the class means",
        "the same of centred class means; K - 1 in a regular simplex",
    ),
    _difference(
        "margin",
        "margin",
        "true logit minus the largest non-target one, mean; below 0 for an error",
        "nats",
    ),
    Number(
        "geometric_margin",
        "distance to the nearest boundary",
        "in feature space, mean; an error counts as below 0",
        "feature units",
        scale_free=False,
        relative=False,
    ),
)

_SWEEP_NUMBERS = (
    Number(
        "temperature",
        "fitted temperature",
        "divides the logits, fitted by NLL on half of the examples; above 1 where they are over-confident",
        scale_free=False,
        relative=False,
    ),
    _share("ece_scaled", "ECE, fitted temperature", "on the half it was not fitted on"),
    _share(
        "aurc",
        "AURC",
        "mean share of errors among the most confident examples, over all coverages, at temperature 1",
    ),
)

_NOISE_NUMBERS = (
    _share(
        "misled_given",
        "wrong labels near their given class",
        "share of the examples with a wrong label that lie nearest to the class they were given, over all "
        "planes that hold both classes",
    ),
    _share(
        "misled_true",
        "wrong labels near their true class",
        "share of the examples with a wrong label that lie nearest to their true class",
    ),
)

_BOTH = ("spread", "accuracy", "nll", "ece")
"""Numbers that the table of calibration has too, of the half that is reported on."""


def _from(
    where: str, *numbers: Number, scope: str = ALL, tables: tuple[str, ...] = (MEASURE,)
) -> list[Number]:
    """Numbers of one module, scope and table."""
    return [
        replace(
            n,
            where=f"penviz.{where}",
            scope=scope,
            tables=(*tables, CALIBRATION) if n.key in _BOTH else tables,
        )
        for n in numbers
    ]


NUMBERS: tuple[Number, ...] = (
    *_from("metrics.tightness.tightness", *_PLANE_NUMBERS, scope=PLANE),
    *_from(
        "metrics.tightness.tightness",
        Number("triple_ratio", "radius / distance in feature space", "as the first, off the plane too"),
        scope=TRIPLE,
    ),
    *_from("metrics.collapse.all_classes", *_SPACE_NUMBERS),
    *_from("metrics.logits", *_LOGIT_NUMBERS),
    *_from("metrics.calibration.calibrated", *_CALIBRATION_NUMBERS, tables=(CALIBRATION,)),
    *_from("study.geometry", *_GEOMETRY_NUMBERS, tables=(GEOMETRY,)),
    *_from("study.sweep", *_SWEEP_NUMBERS, tables=(SWEEP,)),
    *_from("metrics.label_noise", *_NOISE_NUMBERS, tables=(SWEEP,)),
)
"""All of them; those of one table stand in the order of this one."""

BY_KEY = {number.key: number for number in NUMBERS}

TABLES = {
    table: tuple(number for number in NUMBERS if table in number.tables)
    for table in (MEASURE, GEOMETRY, CALIBRATION, SWEEP)
}
"""Table -> its numbers, in order."""
