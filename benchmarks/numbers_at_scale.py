"""Moments, tightness and NC1 of synthetic ImageNet-size shards, against a bare pass of X^T X over the same.

    python benchmarks/numbers_at_scale.py [--n 1280000 --d 2048 --classes 1000] [--shards DIR]

Both passes read the shards (float16 on disk, lossy), convert them to float32 in one way and multiply 8,192
rows at a time in float32; they take turns, a shard each, and the ratio is given over shards. Meanwhile the
memory of the process is watched (anonymous memory: what is mapped from the shards does not count). Then
growth in n, d and K, the numbers that follow, those that need logits, and two usual ways at the largest size
that they manage. Seconds are processor time of the one thread: what else the machine does counts little.
Exit status 1 when a target is missed: ratio 1.3, memory 1.5 GB, exponent of n 0.95 to 1.05.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from made_shards import make_shards

from penviz.metrics.collapse.all_classes import HELD, AllClasses
from penviz.metrics.collapse.collapse import nc1
from penviz.metrics.collapse.moment_sums import MomentSums
from penviz.metrics.collapse.moments import Moments
from penviz.metrics.tightness.tightness import space_ratio
from penviz.store.float16 import widen
from penviz.store.shards import Block, ShardedActivations

RATIO, MEMORY_GB, EXPONENT = 1.3, 1.5, (0.95, 1.05)
HEAD_RATIO = 1.5
ROWS = 8192


def bare(blocks: Sequence[Block], product: np.ndarray, x: np.ndarray) -> None:
    """X^T X in float32, as a researcher would write it who knows that NumPy takes half the work for it."""
    for block in blocks:
        part = x[: len(block.labels)]
        widen(block.features, part)
        product += part.T @ part


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def by_turns(sharded: ShardedActivations) -> tuple[list[float], list[float], float, Moments]:
    """Seconds a shard of the bare pass and of the moments, seconds of their end, and the moments."""
    sums = MomentSums(len(sharded.class_names), sharded.width)
    product = np.zeros((sharded.width, sharded.width), np.float32)
    x = np.empty((ROWS, sharded.width), np.float32)
    bares, ours = [], []
    n_shards = len(sharded.shards)
    for j in range(n_shards):
        blocks = list(sharded.blocks(ROWS, j, n_shards))
        for block in blocks:  # pages into memory, so that neither pays for the disk
            block.features[:, ::2048].max()

        def mine(blocks: Sequence[Block] = blocks) -> None:
            for block in blocks:
                sums.add(block.features, block.labels)

        turns = [(bares, lambda blocks=blocks: bare(blocks, product, x)), (ours, mine)]
        for into, work in turns if j % 2 == 0 else turns[::-1]:
            into.append(seconds(work))
        told = f"{j + 1} of {n_shards} shards, ratio so far {sum(ours) / sum(bares):.3f}"
        print(told, file=sys.stderr, flush=True)
    began = time.process_time()
    moments = sums.moments()
    return bares, ours, time.process_time() - began, moments


def exponent(sizes: Sequence[float], times: Sequence[float]) -> float:
    """Slope of log time against log size, least squares."""
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def pass_over(blocks: Sequence[Block], n_classes: int, width: int) -> Moments:
    sums = MomentSums(n_classes, width)
    for block in blocks:
        sums.add(block.features, block.labels)
    return sums.moments()


def in_memory(n: int, width: int, n_classes: int) -> list[Block]:
    """Rows sorted by class, as a shard has them, in blocks."""
    rng = np.random.default_rng(0)
    labels = np.sort(rng.integers(n_classes, size=n))
    x = rng.standard_normal((n, width), dtype=np.float32).astype(np.float16)
    return [Block(x[s : s + ROWS], labels[s : s + ROWS], labels[s : s + ROWS]) for s in range(0, n, ROWS)]


def growth(sharded: ShardedActivations, whole: float) -> float:
    """Print seconds at several n, d and K, the whole among them; the exponent of n."""
    n_classes, width = len(sharded.class_names), sharded.width
    blocks = list(sharded.blocks(ROWS))
    counts = [c for c in (len(blocks) // 16, len(blocks) // 8, len(blocks) // 4) if c]
    rows = [sum(len(b.labels) for b in blocks[:c]) for c in counts]
    times = [seconds(lambda c=c: pass_over(blocks[:c], n_classes, width)) for c in counts]
    rows, times = [*rows, sharded.n], [*times, whole]
    found = exponent(rows, times) if len(rows) > 2 else math.nan
    print(f"\ngrowth in n: {listed(rows, times)}; exponent {found:.3f}")
    m = min(4 * ROWS, sharded.n)
    widths = [width // 4, width // 2, width]
    times = [best(in_memory(m, d, n_classes), n_classes, d) for d in widths]
    print(f"growth in d (n = {m:,}): {listed(widths, times)}; exponent {exponent(widths, times):.2f}")
    classes = [max(n_classes // 100, 2), max(n_classes // 10, 3), n_classes, 10 * n_classes]
    times = [best(in_memory(m, width // 4, k), k, width // 4) for k in classes]
    print(f"growth in K (n = {m:,}, d = {width // 4}): {listed(classes, times)}; "
          f"exponent {exponent(classes, times):.2f}")  # fmt: skip
    return found


def best(blocks: Sequence[Block], n_classes: int, width: int) -> float:
    return min(seconds(lambda: pass_over(blocks, n_classes, width)) for _ in range(2))


def listed(sizes: Sequence[int], times: Sequence[float]) -> str:
    return ", ".join(f"{size:,}: {took:.2f} s" for size, took in zip(sizes, times, strict=True))


def anonymous() -> int:
    """Bytes of this process that are not mapped from files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return 1024 * int(line.split()[1])
    return 0


class Watch:
    """The most anonymous memory that this process has while it is watched, in bytes, every 20 ms."""

    def __enter__(self) -> Watch:
        self.most, self.ended = 0, threading.Event()
        self.watcher = threading.Thread(target=self.look)
        self.watcher.start()
        return self

    def look(self) -> None:
        while not self.ended.wait(0.02):
            self.most = max(self.most, anonymous())

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.watcher.join()


def loop(x: np.ndarray, y: np.ndarray, n_classes: int) -> None:
    """Class means and within scatter as public reproductions of neural collapse have them."""
    within = np.zeros((x.shape[1], x.shape[1]))
    for k in range(n_classes):
        own = x[y == k].astype(np.float64)
        centred = own - own.mean(axis=0)
        within += centred.T @ centred


def lda(x: np.ndarray, y: np.ndarray, n_classes: int) -> None:
    """scikit-learn's class means and within covariance."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    LinearDiscriminantAnalysis(solver="lsqr", store_covariance=True).fit(x, y)


def others(sharded: ShardedActivations, limit: float) -> None:
    """The usual ways on as many shards as they manage in some seconds, against the pass over the same."""
    import sklearn

    n_classes = len(sharded.class_names)
    for words, way in (("a loop over classes, float64", loop), (f"scikit-learn {sklearn.__version__}", lda)):
        n_shards, said = 1, ""
        while n_shards <= len(sharded.shards):
            blocks = list(islice(sharded.blocks(ROWS), n_shards * -(-sharded.shards[0][1] // ROWS)))
            x = np.concatenate([block.features for block in blocks]).astype(np.float32)
            y = np.concatenate([block.labels for block in blocks])
            before = anonymous()
            theirs = seconds(lambda x=x, y=y, way=way: way(x, y, n_classes))
            del x
            ours = seconds(lambda blocks=blocks: pass_over(blocks, n_classes, sharded.width))
            said = (f"{words}: n = {len(y):,} in {theirs:.1f} s, {theirs / ours:.1f} times the pass "
                    f"({ours:.1f} s), features in memory ({before / 1e9:.1f} GB when it began)")  # fmt: skip
            if 2 * theirs > limit or 8 * before > memory():
                break
            n_shards *= 2
        print(said)


def memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def numbers(moments: Moments, sharded: ShardedActivations) -> None:
    """What follows from the moments, and what needs logits."""
    took = seconds(lambda: space_ratio(moments))
    print(f"\ntightness from the moments: {1000 * took:.0f} ms")
    value, rank = nc1(moments)
    print(
        f"NC1 from the moments: {seconds(lambda: nc1(moments)):.2f} s (SVD of the class means, rank {rank})"
    )
    centred = moments.mean - moments.mean.mean(axis=0)
    between = centred.T @ centred / len(centred)
    within = moments.within / moments.count.sum()
    again = []

    def pinv() -> None:
        inverse = np.linalg.pinv(between, rcond=1e-10, hermitian=True)
        again.append(float(np.einsum("ij,ji->", within, inverse)) / len(centred))

    took = seconds(pinv)
    print(f"NC1 with a pseudo-inverse in d = {sharded.width:,}, an eigendecomposition: {took:.1f} s, "
          f"relative difference {abs(again[0] / value - 1):.0e}")  # fmt: skip
    with_head(sharded)


def with_head(sharded: ShardedActivations, n_blocks: int = 8) -> float:
    """Print what the numbers that need logits cost; the ratio to the bare product with the head."""
    blocks = list(islice(sharded.blocks(ROWS), n_blocks))
    rows = sum(len(block.labels) for block in blocks)
    size = len(sharded.class_names), sharded.width
    alone = seconds(lambda: AllClasses.of(blocks, *size))
    whole = seconds(lambda: AllClasses.of(blocks, *size, sharded.head))
    weight = np.ascontiguousarray(sharded.head.weight.T)
    held = max(HELD // size[0], 1)
    z = np.empty((held, size[0]), np.float32)

    def product() -> None:
        for block in blocks:
            x = block.features.astype(np.float32)
            for start in range(0, len(x), held):
                np.matmul(x[start : start + held], weight, out=z[: len(x) - start])

    bare = seconds(product)
    print(f"with the numbers that need logits: {whole / alone:.2f} times the pass, {whole / bare:.2f} times "
          f"the bare product with the head, {bare:.1f} s (on {rows:,} examples)")  # fmt: skip
    return whole / bare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--n", type=int, default=1_280_000)
    parser.add_argument("--d", type=int, default=2048)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--shards", type=Path, help="keep the shards here, and use those that are there")
    parser.add_argument("--head", action="store_true", help="only what needs logits, over all shards")
    parser.add_argument("--limit", type=float, default=40, help="seconds that the usual ways may take")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        directory = args.shards or Path(place) / "x"
        sharded = make_shards(directory, args.n, args.d, args.classes)
        print(f"{platform.processor() or platform.machine()}, {os.environ['OMP_NUM_THREADS']} thread(s), "
              f"numpy {np.__version__}, Python {platform.python_version()}")  # fmt: skip
        print(f"n = {sharded.n:,}, d = {sharded.width:,}, K = {len(sharded.class_names):,}, "
              f"{len(sharded.shards)} shards, {sharded.remark or sharded.dtype}")  # fmt: skip
        if args.head:
            with Watch() as watch:
                slow = with_head(sharded, len(sharded.shards) * 4)
            print(f"peak memory: {watch.most / 1e9:.2f} GB; target of the ratio {HEAD_RATIO}")
            sys.exit(int(slow > HEAD_RATIO))
        with Watch() as watch:
            bares, ours, end, moments = by_turns(sharded)
            nc1(moments)
        most = watch.most / 1e9
        whole = [o / b for o, b in zip(ours, bares, strict=True)]
        ratio = (sum(ours) + end) / sum(bares)
        print("\n| | seconds | ratio, median over shards | least | most |\n|---|---|---|---|---|")
        print(f"| bare X^T X | {sum(bares):.1f} | 1 | | |")
        print(f"| moments | {sum(ours) + end:.1f} (end {end:.2f}) | {statistics.median(whole):.3f} "
              f"| {min(whole):.3f} | {max(whole):.3f} |")  # fmt: skip
        print(f"\nratio of the whole: {ratio:.3f} (target {RATIO})")
        print(f"peak memory, NC1 and the bare pass included: {most:.2f} GB (target {MEMORY_GB})", flush=True)
        slope = growth(sharded, sum(ours) + end)
        numbers(moments, sharded)
        others(sharded, args.limit)
    steady = math.isnan(slope) or EXPONENT[0] <= slope <= EXPONENT[1]
    sys.exit(int(ratio > RATIO or most > MEMORY_GB or not steady))


if __name__ == "__main__":
    main()
