"""Two similar classes and a distant one: whether the similar ones lie on an arc, and what lies between.

The claim of Müller et al. 2019 about Figure 1, row 4 (section 2): without label smoothing two similar classes
overlap isotropically and a continuum leads from them to the distant class; with it they lie on an arc, and
the continuum is erased. The reason given is that label smoothing asks of every example to be equally far from
the templates of all wrong classes: an arc about the distant class is what that leaves of two classes that are
hard to tell apart. The paper gives no number; these are ours.

Axis letters: n_k examples of class k.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from penviz.metrics.tightness.tightness import ratio

MIDDLE = (1 / 3, 2 / 3)
"""Between the distant class (0) and the similar ones (1): where a continuum would have examples."""


@dataclass(frozen=True)
class Arc:
    """The cloud of two similar classes as it is seen from the mean of the distant one.

    With c the mean of the distant class, r the distance of an example of the similar classes from c, and a
    its angle about c from the direction of the midpoint of the two class means, each class weighing a half:

    Attributes:
        radial: standard deviation of r, feature units.
        tangential: mean of r times the standard deviation of a (radians), feature units.
        isotropy: radial / tangential: 1 for a small round cloud far from c, 0 for an arc about c.
        continuum: share of examples in the middle third of the way from c to the midpoint of the similar
            class means, along the line through both; the mean of the shares of the three classes.
    """

    radial: float
    tangential: float
    isotropy: float
    continuum: float

    @classmethod
    def of(cls, similar: Sequence[ArrayLike], distant: ArrayLike) -> Arc:
        """From in-plane coordinates: two similar classes, [n_1, 2] and [n_2, 2], and a distant one [n_3, 2].

        Any common scale, shift, rotation or reflection of the coordinates leaves isotropy and continuum as
        they are.

        Raises:
            ValueError: not two similar classes, a class without examples, or means that coincide.
        """
        near = [np.asarray(points, np.float64) for points in similar]
        far = np.asarray(distant, np.float64)
        if len(near) != 2 or not all(len(points) for points in (*near, far)):
            raise ValueError("An arc needs examples of two similar classes and of a distant one.")
        centre = far.mean(axis=0)
        way = np.mean([points.mean(axis=0) for points in near], axis=0) - centre
        length = float(np.hypot(*way))
        if length == 0:
            raise ValueError("The similar classes and the distant one have one mean: there is no direction.")
        along, across = way / length, np.array([-way[1], way[0]]) / length
        cloud = np.concatenate(near) - centre
        weight = np.concatenate([np.full(len(points), 0.5 / len(points)) for points in near])
        r = np.hypot(cloud[:, 0], cloud[:, 1])
        angle = np.arctan2(cloud @ across, cloud @ along)
        radial, turn = (float(np.sqrt(weight @ (v - weight @ v) ** 2)) for v in (r, angle))
        tangential = float(weight @ r) * turn
        shares = []
        for points in (*near, far):
            place = (points - centre) @ along / length
            shares.append(float(((place > MIDDLE[0]) & (place < MIDDLE[1])).mean()))
        return cls(radial, tangential, float(ratio(radial, tangential)), float(np.mean(shares)))
