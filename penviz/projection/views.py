"""The views of the grid: the paper's plane, and what else people draw of the same features."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class View:
    """What a view is called and what must be said of it.

    Attributes:
        label: in the list of views.
        remark: stands in every panel; "" for the paper's plane.
        units: what its axes count, "feature units"; "" where lengths mean nothing.
        sentence: what it shows, for the head of the page and the caption.
        caution: what must not be read off it.
    """

    label: str
    remark: str
    units: str
    sentence: str
    caution: str = ""


PLANE = "plane"

VIEWS = {
    PLANE: View("template plane", "", "feature units", "The plane through the templates of three classes."),
    "pca": View(
        "PCA",
        "PCA, not the paper's projection",
        "feature units",
        "The two directions in which the features vary most, whatever the classes are.",
        "The directions follow the features: those of two networks are not the same two, and a tight class "
        "can fill the picture. ρ/d and the optima belong to the template plane.",
    ),
    "lda": View(
        "LDA",
        "LDA, not the paper's projection",
        "standard deviations",
        "The two directions that part the classes best, in units of their spread (Fisher's discriminants).",
        "They are chosen to make classes look apart, and within-class spread is 1 by construction: clusters "
        "of every network look equally tight on the split that they were fitted on.",
    ),
    "umap": View(
        "UMAP",
        "UMAP: tightness must not be judged here",
        "",
        "A map that keeps neighbours together and no distances (McInnes, Healy & Melville 2018).",
        "Tightness must not be judged on it: sizes of clusters and gaps between them mean nothing, axes have "
        "no unit, and another seed draws another map.",
    ),
    "span": View(
        "span + PCA",
        "span + PCA, not the paper's projection",
        "feature units",
        "What other reproductions draw (three-vector span, then PCA): three dimensions through the origin, "
        "of which PCA keeps two.",
        "The paper's plane goes through the three templates and needs no PCA: two directions are the two "
        "differences. Here straight decision boundaries and optima do not exist.",
    ),
}
"""Names in links and recipes -> the views, in the order in which they are offered."""
