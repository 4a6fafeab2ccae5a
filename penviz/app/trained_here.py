"""A training of a demo pair in a visitor's session."""

from __future__ import annotations

from dataclasses import dataclass

from penviz.external.sandbox.job import Job


@dataclass
class TrainedHere:
    """One training of a pair in a visitor's session.

    Attributes:
        job: in the sandbox, None when it ended without a result; names: of the two runs.
        started: by the monotonic clock; error: why there is no result, one sentence.
    """

    job: Job | None
    names: tuple[str, str]
    started: float
    error: str = ""
