"""Features that arrive batch by batch: few of them in memory, many in a temporary file."""

from __future__ import annotations

import tempfile
from typing import IO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from penviz.store import shards

Float32: TypeAlias = NDArray[np.float32]


class FeatureRows:
    """Rows [m, d] that are appended, and read as one array [n, d].

    Beyond `shards.LARGEST_FILE` bytes they lie in a file of the system's temporary directory (TMPDIR), which
    is gone when the array is. The array is then a view of that file, so that memory holds what is looked at.
    """

    def __init__(self) -> None:
        self.parts: list[Float32] = []
        self.file: IO[bytes] | None = None
        self.n = self.width = 0

    def append(self, rows: Float32) -> None:
        """Take the next rows [m, d]."""
        self.n, self.width = self.n + len(rows), rows.shape[1]
        if self.file is not None:
            self.file.write(np.ascontiguousarray(rows).data)
            return
        self.parts.append(rows)
        if 4 * self.n * self.width > shards.LARGEST_FILE:
            self.file = tempfile.TemporaryFile(prefix="penviz-features-")  # noqa: SIM115
            for part in self.parts:
                self.file.write(np.ascontiguousarray(part).data)
            self.parts.clear()

    def array(self) -> Float32:
        """All rows [n, d] in the order in which they came; nothing is appended after it."""
        if self.file is None:
            return np.concatenate(self.parts) if self.parts else np.empty((0, self.width), np.float32)
        self.file.flush()
        with self.file as file:
            return np.memmap(file, np.float32, "r", shape=(self.n, self.width))
