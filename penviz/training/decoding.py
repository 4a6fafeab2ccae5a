"""Reading ahead: images are decoded by threads while the network runs on those that came before.

Pillow lets go of Python's lock while it decodes and resizes, and so does torch while it computes, so threads
are enough: nothing is copied between processes, and none is left behind.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Given = TypeVar("Given")
Made = TypeVar("Made")

Rows = slice | NDArray[np.int64]

MOST_WORKERS = 16
AHEAD = 2
"""Batches that are read while another is in use; what is held in memory is one more."""


class Files(Protocol):
    """Images that are decoded when they are asked for (`folder.ImageFiles`)."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(n, height, width, channels)."""

    def only(self, rows: Rows) -> Files:
        """Some rows, not decoded yet."""

    def read(self, row: int) -> NDArray[np.uint8]:
        """One image, decoded."""


def workers() -> int:
    """Threads that decode: a core is left to whoever uses the images."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST_WORKERS, cores - 1))


def in_order(work: Callable[[Given], Made], items: Iterable[Given], ahead: int) -> Iterator[Made]:
    """`map` by threads that runs at most `ahead` items before the consumer.

    The first error of `work` is raised in its place; what was not begun is then given up, as it is when the
    iterator is closed. No thread outlives the iterator.
    """
    pending: deque[Future[Made]] = deque()
    pool = ThreadPoolExecutor(workers(), thread_name_prefix="decode")
    try:
        pool.submit(int)
    except RuntimeError:  # the sandbox lets no thread start
        yield from map(work, items)
        return
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def decoded(files: Files, batches: Sequence[Rows]) -> Iterator[NDArray[np.uint8]]:
    """The images [b, height, width, channels] uint8 of each batch of rows, in order, read ahead.

    As many are read ahead as the first AHEAD batches hold.

    Raises:
        RunError: an image that cannot be decoded, when its batch is asked for.
    """

    def places() -> Iterator[tuple[NDArray[np.uint8], Files, int]]:
        for rows in batches:
            chosen = files.only(rows)
            images = np.empty(chosen.shape, np.uint8)
            for i in range(len(images)):
                yield images, chosen, i

    def fill(place: tuple[NDArray[np.uint8], Files, int]) -> NDArray[np.uint8] | None:
        images, chosen, i = place
        images[i] = chosen.read(i)
        return images if i == len(images) - 1 else None  # the last to be handed out: all others are there

    ahead = sum(files.only(rows).shape[0] for rows in batches[:AHEAD])
    for images in in_order(fill, places(), ahead):
        if images is not None:
            yield images
