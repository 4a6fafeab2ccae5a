from __future__ import annotations

import numpy as np
import pytest

from penviz.store import float16
from penviz.store.float16 import widen


def test_every_half_float_keeps_its_value() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16).reshape(256, 256)
    out = np.empty(every.shape, np.float32)
    widen(every, out)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(out, every.astype(np.float32))
    finite = every[np.isfinite(every)][None]
    out = np.empty(finite.shape, np.float32)
    widen(finite, out)
    np.testing.assert_array_equal(out.view(np.int32), finite.astype(np.float32).view(np.int32))


def test_other_types_and_strides_are_copied() -> None:
    rng = np.random.default_rng(0)
    for x in (rng.normal(size=(70, 33)).astype(np.float32), rng.normal(size=(70, 33)).astype(">f2")):
        out = np.empty(x.shape, np.float32)
        widen(x, out)
        np.testing.assert_array_equal(out, x.astype(np.float32))
    x = rng.normal(size=(70, 66)).astype(np.float16)
    out = np.empty((140, 33), np.float32)
    widen(x[:, ::2], out[::2])
    np.testing.assert_array_equal(out[::2], x[:, ::2].astype(np.float32))
    widen(np.empty((0, 0), np.float16), np.empty((0, 0), np.float32))


def test_the_comparison_sees_a_wrong_exponent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(float16, "SCALE", 2.0**111)
    out = np.empty((1, 1), np.float32)
    widen(np.ones((1, 1), np.float16), out)
    assert out[0, 0] == 0.5
