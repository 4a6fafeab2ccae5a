"""Images decoded ahead of their use: the same pixels, bounded, and a clean end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_images import assert_one_sentence
from torch import nn

from penviz.store.run_config import RunError
from penviz.training import decoding, evaluate, models
from penviz.training.data_set import Split
from penviz.training.folder import ImageFiles, read_square, stored_batches


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    place, rng = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    written = []
    for i in range(23):
        height, width = rng.integers(20, 60, 2)
        rough = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8))
        written.append(place / f"{i:02}.jpg")
        rough.resize((int(width), int(height))).save(written[-1])
    return written


def threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("decode")]


@pytest.mark.parametrize("workers", [1, 3])
def test_batches_hold_the_pixels_of_the_files(
    workers: int, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "workers", lambda: workers)
    stored = ImageFiles(files, 16)
    rows = [slice(0, 5), slice(5, 10), np.array([22, 3, 3, 11]), slice(20, 40)]
    read = list(stored_batches(stored, rows))
    plain = np.stack([read_square(file, 16) for file in files])
    assert [len(batch) for batch in read] == [5, 5, 4, 3]
    for batch, chosen in zip(read, rows, strict=True):
        assert np.array_equal(batch, plain[chosen])
    assert np.array_equal(np.stack(list(stored)), plain)
    assert np.array_equal(stored[3:9], plain[3:9])
    for batch, chosen in zip(stored_batches(plain, rows), rows, strict=True):
        assert np.array_equal(batch, plain[chosen])
    assert not threads()


def test_no_more_is_read_than_was_said() -> None:
    begun: list[int] = []
    results = decoding.in_order(lambda i: begun.append(i) or i, range(100), ahead=4)
    taken = []
    for _ in range(10):
        taken.append(next(results))
        deadline = time.monotonic() + 30
        while len(begun) < len(taken) + 4 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.005)  # time enough to begin one more, were it allowed
        assert len(begun) == len(taken) + 4
    results.close()  # type: ignore[attr-defined]
    assert taken == list(range(10))
    assert not threads()


def test_the_first_error_ends_all(files: list[Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(files[0].read_bytes()[:80])
    stored = ImageFiles([*files[:7], bad, *files[7:]], 16)
    rows = [slice(start, start + 5) for start in range(0, 24, 5)]
    read = stored_batches(stored, rows)
    assert len(next(read)) == 5
    with pytest.raises(RunError, match=r"bad\.jpg cannot be read as an image") as caught:
        next(read)
    assert_one_sentence(caught.value)
    assert not threads()


def test_a_reader_that_is_left_gives_up_what_was_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "workers", lambda: 2)
    begun: list[int] = []

    def slow(i: int) -> int:
        begun.append(i)
        time.sleep(0.02)
        return i

    def consumer() -> Iterator[int]:
        yield from decoding.in_order(slow, range(1000), ahead=50)

    reading = consumer()
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    assert len(begun) < 40
    assert not threads()


def test_features_of_files_are_those_of_their_pixels(files: list[Path]) -> None:
    network = models.build("resnet20", (3, 16, 16), 4).eval()
    pixels = np.stack([read_square(file, 16) for file in files])
    n = len(files)
    rest = (np.zeros(n, np.int64), np.arange(n), np.arange(n, dtype=np.uint64), "photographs")
    whole = evaluate.features_and_predictions(network, Split(pixels, *rest), 0, batch=4)
    read = evaluate.features_and_predictions(
        network,
        Split(ImageFiles(files, 16), *rest),  # type: ignore[arg-type]
        0,
        batch=4,
    )
    assert np.array_equal(read[0], whole[0])
    assert np.array_equal(read[1], whole[1])
    assert not threads()


@pytest.mark.parametrize("model", ["tutorial_alexnet", "resnet20", "paper_resnet56"])
def test_parts_of_a_batch_have_the_bits_of_the_whole(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    side = 24
    network = models.build(model, (3, side, side), 10).eval().to(memory_format=torch.channels_last)
    x = torch.randn(56, 3, side, side, generator=torch.Generator().manual_seed(0))
    x = x.contiguous(memory_format=torch.channels_last)
    sizes: list[int] = []
    first = next(m for m in network.features.modules() if isinstance(m, nn.Conv2d))
    first.register_forward_pre_hook(lambda module, args: sizes.append(len(args[0])))
    with torch.no_grad():
        whole = network.features(x)
        monkeypatch.setattr(evaluate, "PART_PIXELS", 20 * side * side)
        parts = evaluate.features_of(network, x)
        few = evaluate.features_of(network, x[:10])
    assert sizes == [56, 20, 20, 16, 10]
    assert torch.equal(parts, whole)
    # Some CPUs multiply fewer than 16 rows in another order, so a linear layer rounds otherwise.
    torch.testing.assert_close(few, whole[:10], rtol=1e-5, atol=1e-5)
