"""How long it takes from three classes that were never asked for to their panel, from shards on disk.

    python benchmarks/new_triple.py [--shards DIR] [--n 1280000 --d 2048 --classes 1000] [--triples 30]

Warm: the split is open and its pages are in memory. A triple is read as one slice a class and shard, and
`build_panel` gives the picture of 250 examples a class, all numbers of the triple over all its examples.
Compared with reading the three classes alone; processor time tells what other processes took of the clock.
Exit status 1 when the median is above 50 ms.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from made_shards import make_shards

from penviz.metrics.target_vectors import Targets
from penviz.projection.build_panel import build_panel
from penviz.store.shards import ShardedActivations

TARGET_MS = 50.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--n", type=int, default=1_280_000)
    parser.add_argument("--d", type=int, default=2048)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--triples", type=int, default=30)
    parser.add_argument("--shards", type=Path, help="keep the shards here, and use those that are there")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        make_shards(args.shards or Path(place) / "x", args.n, args.d, args.classes)
        began = time.perf_counter()
        sharded = ShardedActivations.open(args.shards or Path(place) / "x")
        opened = time.perf_counter() - began
        print(f"{platform.processor() or platform.machine()}, {os.environ['OMP_NUM_THREADS']} thread(s), "
              f"numpy {np.__version__}, Python {platform.python_version()}")  # fmt: skip
        print(f"n = {sharded.n:,}, d = {sharded.width:,}, K = {len(sharded.class_names):,}, "
              f"{sharded.dtype}, {len(sharded.shards)} shards, opened in {1000 * opened:.0f} ms")  # fmt: skip
        missed = measure(sharded, args.triples)
    sys.exit(missed)


def measure(sharded: ShardedActivations, n_triples: int) -> int:
    rng = np.random.default_rng(0)
    triples = [rng.choice(len(sharded.class_names), 3, replace=False).tolist() for _ in range(n_triples)]
    for triple in triples:  # their pages into memory, and the processor awake
        sharded.triple(triple)
    build_panel(sharded.triple(triples[0]), triples[0])
    reads, wholes, processor, n = [], [], [], 0
    for triple in triples:
        began, used = time.perf_counter(), time.process_time()
        activations = sharded.triple(triple)
        reads.append(1000 * (time.perf_counter() - began))
        build_panel(activations, triple, targets=Targets.of(0.1))
        wholes.append(1000 * (time.perf_counter() - began))
        processor.append(1000 * (time.process_time() - used))
        n = len(activations)
    print(f"\n| {n_triples} new triples, the last of {n:,} examples | median ms | least | most |")
    print("|---|---|---|---|")
    for words, values in (
        ("read the three classes", reads),
        ("read and build the panel", wholes),
        ("the same, processor time", processor),
    ):
        print(f"| {words} | {statistics.median(values):.1f} | {min(values):.1f} | {max(values):.1f} |")
    print(f"\ntarget: {TARGET_MS:.0f} ms")
    return int(statistics.median(wholes) > TARGET_MS)


if __name__ == "__main__":
    main()
