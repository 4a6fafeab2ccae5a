"""The words of every number of the table: what it is called, what it means, in what unit."""

from __future__ import annotations

from dataclasses import dataclass, replace

PLANE, TRIPLE, ALL = "triple, in the plane", "triple, in feature space", "all classes"
"""Scopes: which classes a number is over, and where it is measured."""


@dataclass(frozen=True)
class Number:
    """One number of the table.

    Attributes:
        key: its name in `Panel.metrics` and JSON.
        label: its name on the page.
        meaning: one line in plain words.
        unit: "feature units", "weight units", "nats", "share" (in [0, 1]) or "" for a pure number.
        scale_free: unchanged when all features are multiplied by a factor and the weights divided by it,
            which leaves the network as it is. Ratios of lengths in the plane are so only where no bias is a
            coordinate of a template (`without_bias`): the appended 1 does not grow with the features.
        scope: PLANE, TRIPLE or ALL.
        relative: its change is after / before - 1, else after - before.
    """

    key: str
    label: str
    meaning: str
    unit: str = ""
    scale_free: bool = True
    scope: str = PLANE
    relative: bool = True

    @property
    def least(self) -> float:
        """Least relevant change: 2 % of a relative one, half a point of a share, else 0.01 of the unit."""
        return 0.02 if self.relative else 0.005 if self.unit == "share" else 0.01

    def without_bias(self) -> Number:
        """The same number in a plane whose templates hold no bias."""
        return replace(self, scale_free=True) if self.key in _LENGTHS else self


_LENGTHS = ("rho_d", "plane_share", "rho_d_correct", "within_total", "regularity", "radius_ratio")
"""Ratios of lengths in the plane."""

_F = "feature units"
_CENTRE = "share whose probability among the three is below 0.9"

NUMBERS: tuple[Number, ...] = (
    Number(
        "rho_d", "radius / distance", "how wide clusters are for their distance; less is tighter", "", False
    ),
    Number("rho", "radius", "RMS distance of examples to the mean of their class, over the three", _F, False),
    Number("distance", "distance", "mean of the three distances between class means", _F, False),
    Number("plane_share", "variance in plane", "share of the three classes' variance in it", "share", False),
    Number("off_plane", "distance off the plane", "RMS distance of examples from the plane", _F, False),
    Number(
        "rho_d_correct",
        "radius / distance, errors left out",
        "as the first, over right predictions",
        "",
        False,
    ),
    Number("rho_0", "radius, first class", "RMS distance to the mean of this class", _F, False),
    Number("rho_1", "radius, second class", "RMS distance to the mean of this class", _F, False),
    Number("rho_2", "radius, third class", "RMS distance to the mean of this class", _F, False),
    Number(
        "within_total",
        "within / total scatter",
        "share of the scatter that lies inside classes",
        "share",
        False,
    ),
    Number(
        "regularity",
        "regularity",
        "1 - std / mean of the triangle's sides; 1 is regular",
        scale_free=False,
        relative=False,
    ),
    Number("towards_centre_0", "towards the centre, first class", _CENTRE, "share", True, PLANE, False),
    Number("towards_centre_1", "towards the centre, second class", _CENTRE, "share", True, PLANE, False),
    Number("towards_centre_2", "towards the centre, third class", _CENTRE, "share", True, PLANE, False),
    Number(
        "radius_ratio", "held-out / train radius", "above 1: clusters are wider on new examples", "", False
    ),
    Number(
        "triple_ratio", "radius / distance in feature space", "as the first, off the plane too", scope=TRIPLE
    ),
    Number(
        "space_radius",
        "radius, all classes",
        "RMS distance to the class mean in feature space",
        _F,
        False,
        ALL,
    ),
    Number("space_distance", "distance, all classes", "mean distance between class means", _F, False, ALL),
    Number(
        "space_ratio",
        "radius / distance, all classes",
        "how wide all clusters are for their distance",
        scope=ALL,
    ),
    Number(
        "space_within_total",
        "within / total scatter, all classes",
        "share inside classes",
        "share",
        scope=ALL,
    ),
    Number(
        "class_separation",
        "R² of cosine distances",
        "1 - within / total cosine distance (Kornblith et al. 2021)",
        scope=ALL,
        relative=False,
    ),
    Number("nc1", "NC1", "tr(S_W S_B⁺) / K: scatter inside classes against between them", scope=ALL),
    Number("cdnv", "CDNV", "variance over squared distance, mean over pairs of classes", scope=ALL),
    Number("gap", "logit gap", "true logit minus the mean of the wrong ones", "nats", True, ALL),
    Number(
        "gap_ratio", "logit gap / optimum", "1 where smoothing wants it; hard targets have none", scope=ALL
    ),
    Number("spread", "spread of the wrong logits", "0 at the optimum of smoothing", "nats", True, ALL),
    Number("accuracy", "accuracy", "share of right predictions", "share", True, ALL, False),
    Number(
        "accuracy_gap",
        "train minus held-out accuracy",
        "what the network has by heart",
        "share",
        True,
        ALL,
        False,
    ),
    Number(
        "top5",
        "top-5 accuracy",
        "true class among the five likeliest; from 6 classes on",
        "share",
        True,
        ALL,
        False,
    ),
    Number("confidence", "confidence", "mean of the largest probability", "share", True, ALL, False),
    Number(
        "nll",
        "NLL",
        "mean of -log probability of the label, of hard labels for all",
        "nats",
        True,
        ALL,
        False,
    ),
    Number(
        "ece",
        "ECE",
        "mean |accuracy - confidence| over 15 bins of confidence, at temperature 1",
        "share",
        True,
        ALL,
        False,
    ),
)
"""In the order of the table."""

_REGULAR = "0 in a regular simplex"
_HEAD = "of the head's templates"

GEOMETRY: tuple[Number, ...] = (
    Number("nc1_trace", "NC1, ratio of traces", "tr S_W / tr S_B: no inverse, no rank", scope=ALL),
    Number(
        "vci",
        "VCI",
        "1 - tr(S_T⁺ S_B) / rank S_B (Xu & Liu 2023); 0 is collapse, no linear map changes it",
        scope=ALL,
    ),
    Number(
        "means_equinorm",
        "NC2, equal norms, class means",
        f"std / mean of the norms of centred class means; {_REGULAR}",
        scope=ALL,
    ),
    Number(
        "means_equiangular",
        "NC2, equal angles, class means",
        f"std of the cosines between centred class means; {_REGULAR}",
        scope=ALL,
    ),
    Number(
        "means_angle",
        "NC2, largest angles, class means",
        f"mean |cosine + 1 / (K - 1)| between centred class means; {_REGULAR}",
        scope=ALL,
    ),
    Number(
        "means_etf",
        "NC2, distance to a simplex, class means",
        "of the normalised Gram matrix from that of a regular simplex, Frobenius norm; "
        "0 to sqrt(2 - 2 / sqrt(K - 1))",
        scope=ALL,
    ),
    Number(
        "templates_equinorm", "NC2, equal norms, templates", f"the same {_HEAD}, without the bias", scope=ALL
    ),
    Number("templates_equiangular", "NC2, equal angles, templates", f"the same {_HEAD}", scope=ALL),
    Number("templates_angle", "NC2, largest angles, templates", f"the same {_HEAD}", scope=ALL),
    Number("templates_etf", "NC2, distance to a simplex, templates", f"the same {_HEAD}", scope=ALL),
    Number(
        "nc3",
        "NC3, templates and class means",
        "squared distance of the two, centred and of norm 1; 0 is self-duality, 2 orthogonal",
        scope=ALL,
    ),
    Number(
        "alignment",
        "alignment",
        "mean cosine of a class mean and its template, both centred; 1 under collapse",
        scope=ALL,
        relative=False,
    ),
    Number(
        "nc4",
        "NC4, another class mean is nearest",
        "share of predictions that are not the nearest class mean of train",
        "share",
        True,
        ALL,
        False,
    ),
    Number("feature_norm", "norm of the features", "mean over examples, not centred", _F, False, ALL),
    Number("centred_norm", "norm of the class means", "mean over classes, centred", _F, False, ALL),
    Number(
        "weight_norm",
        "norm of the templates",
        "mean over classes, without the bias",
        "weight units",
        False,
        ALL,
    ),
    Number(
        "feature_rank",
        "effective rank of the features",
        "exp of the entropy of their singular values, centred; 1 to d (Roy & Vetterli 2007)",
        scope=ALL,
    ),
    Number(
        "mean_rank",
        "effective rank of the class means",
        "the same of centred class means; K - 1 in a regular simplex",
        scope=ALL,
    ),
    Number(
        "margin",
        "margin",
        "true logit minus the largest wrong one, mean; below 0 for an error",
        "nats",
        True,
        ALL,
        False,
    ),
    Number(
        "geometric_margin",
        "distance to the nearest boundary",
        "in feature space, mean; an error counts as below 0",
        _F,
        False,
        ALL,
        False,
    ),
)
"""Those that only the table of the geometry has (`geometry.geometry_table`), in its order."""

BY_KEY = {number.key: number for number in (*NUMBERS, *GEOMETRY)}

SWEPT_TOO: tuple[Number, ...] = (
    Number(
        "temperature",
        "fitted temperature",
        "divides the logits, fitted by NLL on half of the examples; above 1 for a network that is too sure",
        "",
        False,
        ALL,
        False,
    ),
    Number(
        "ece_scaled", "ECE, fitted temperature", "on the half it was not fitted on", "share", True, ALL, False
    ),
    Number(
        "aurc",
        "AURC",
        "mean share of errors among the surest, over all coverages, at temperature 1",
        "share",
        True,
        ALL,
        False,
    ),
    Number(
        "misled_given",
        "wrong labels near their given class",
        "share of the examples with a wrong label that lie nearest to the class they were given, over all "
        "planes that hold both classes",
        "share",
        True,
        ALL,
        False,
    ),
    Number(
        "misled_true",
        "wrong labels near their true class",
        "share of the examples with a wrong label that lie nearest to their true class",
        "share",
        True,
        ALL,
        False,
    ),
)
"""Numbers of a sweep that the table under the grid does not have."""
