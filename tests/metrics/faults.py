"""Faults planted in the behaviour of a function: a check that cannot see one is no check."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

Fault = Callable[[Callable], Callable]
"""A function -> what stands in its place."""

Planted = tuple[Callable[[], None], object, str, Fault]
"""The check that must fail; where the function is and its name; the fault."""


def each_is_seen(planted: Mapping[str, Planted]) -> Callable[..., None]:
    """A test, one case a fault: with it in place the check fails."""

    @pytest.mark.parametrize(("check", "owner", "name", "fault"), planted.values(), ids=planted)
    @pytest.mark.filterwarnings("ignore::RuntimeWarning")  # what a fault makes of numbers
    def test(
        check: Callable[[], None], owner: object, name: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(owner, name, fault(getattr(owner, name)))
        with pytest.raises(AssertionError):
            check()

    return test
