from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from penviz.training import images


def pictures(n: int = 7, height: int = 9, width: int = 11, channels: int = 3) -> torch.Tensor:
    rng = np.random.default_rng(n)
    return torch.from_numpy(rng.integers(0, 256, (n, height, width, channels), dtype=np.uint8))


@pytest.mark.parametrize("flip", [False, True])
def test_crops_against_a_plain_loop(flip: bool) -> None:
    x, (h, w) = pictures(), (6, 5)
    plan = images.plan_epoch(7, (3, 6), flip, seed=4, epoch=2)
    rows = plan.order[2:6]
    batch = images.crop_batch(x, rows, plan, (h, w))
    assert batch.shape == (4, h, w, 3)
    assert batch.dtype == torch.uint8
    assert bool(plan.mirrored.any()) == flip
    for b, row in enumerate(rows.tolist()):
        top, left = int(plan.top[row]), int(plan.left[row])
        for i in range(h):
            for j in range(w):
                column = left + (w - 1 - j if plan.mirrored[row] else j)
                assert batch[b, i, j].tolist() == x[row, top + i, column].tolist()


def test_all_offsets_and_both_ways_occur() -> None:
    plan = images.plan_epoch(2000, (2, 3), True, seed=0, epoch=0)
    assert sorted(plan.order.tolist()) == list(range(2000))
    assert set(plan.top.tolist()) == {0, 1, 2}
    assert set(plan.left.tolist()) == {0, 1, 2, 3}
    assert 0.45 < plan.mirrored.float().mean() < 0.55


def test_a_plan_depends_on_seed_and_epoch_only() -> None:
    def drawn(seed: int, epoch: int, noise: int) -> list[list[int]]:
        torch.manual_seed(noise)
        plan = images.plan_epoch(50, (4, 4), True, seed, epoch)
        return [t.tolist() for t in (plan.order, plan.top, plan.left, plan.mirrored)]

    assert drawn(1, 2, 0) == drawn(1, 2, 99)
    for other in (drawn(1, 3, 0), drawn(2, 2, 0), drawn(2, 1, 0)):
        assert all(a != b for a, b in zip(drawn(1, 2, 0), other, strict=True))


def test_a_plan_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    images.plan_epoch(50, (4, 4), True, 0, 0)
    assert torch.equal(torch.rand(3), expected)


def test_padding_is_black_on_all_sides() -> None:
    x = pictures()
    padded = images.pad(x, 2)
    assert padded.shape == (7, 13, 15, 3)
    for i in range(13):
        for j in range(15):
            inside = 2 <= i < 11 and 2 <= j < 13
            expected = x[:, i - 2, j - 2] if inside else torch.zeros(7, 3, dtype=torch.uint8)
            assert torch.equal(padded[:, i, j], expected)
    assert images.pad(x, 0) is x


def standardise_slowly(picture: np.ndarray) -> np.ndarray:
    """(x - mean) / max(std, 1 / sqrt(n)) with sums in Python, in channels-first order."""
    values = [float(v) for v in picture.ravel()]
    mean = sum(values) / len(values)
    std = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))
    return ((picture.astype(float) - mean) / max(std, 1 / math.sqrt(len(values)))).transpose(2, 0, 1)


def test_standardisation_against_a_plain_loop() -> None:
    x = pictures()
    x[0] = 200  # no contrast: 0 everywhere, not NaN
    x[1] = 10
    x[1, 0, 0, 0] = 11  # less contrast than the bound: std is below 1 / sqrt(297)
    x[2] = 0
    out = images.standardise(x)
    assert out.shape == (7, 3, 9, 11)
    assert out.is_contiguous(memory_format=torch.channels_last)
    for picture, got in zip(x.numpy(), out.numpy(), strict=True):
        assert np.abs(got - standardise_slowly(picture)).max() < 2e-5
    assert (out[0] == 0).all()
    with_one_less = x.numpy()[3].astype(float).std(ddof=1)  # the other convention would be seen
    other = (x.numpy()[3].astype(float) - x.numpy()[3].mean()) / with_one_less
    assert np.abs(out[3].numpy() - other.transpose(2, 0, 1)).max() > 1e-3


def test_centre_crop() -> None:
    x = pictures()
    got = images.centre_crop(x, 6)
    assert got.shape == (7, 6, 6, 3)
    for i in range(6):
        for j in range(6):
            assert torch.equal(got[:, i, j], x[:, (9 - 6) // 2 + i, (11 - 6) // 2 + j])
    assert torch.equal(images.centre_crop(x, 0), x)
    assert images.centre_crop(x, 10).shape == (7, 9, 10, 3)


@pytest.mark.parametrize("crop", [0, 1, 6, 9, 10, 40])
def test_input_size_is_what_the_centre_crop_gives(crop: int) -> None:
    assert images.centre_crop(pictures(), crop).shape[1:3] == images.input_size(9, 11, crop)
