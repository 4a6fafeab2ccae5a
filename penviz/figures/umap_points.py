"""UMAP coordinates of features: made in a child process, kept on disk by digest.

Files lie in PENVIZ_CACHE, or in the system's own place for caches (XDG_CACHE_HOME or ~/.cache on Linux,
~/Library/Caches on macOS, LOCALAPPDATA on Windows), below penviz/umap; any of them may be deleted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import subprocess
import sys
import threading
import zipfile
import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from penviz import InputError
from penviz.figures.umap_fit import MIN_DIST, N_NEIGHBORS

logger = logging.getLogger(__name__)

CACHE_VARIABLE = "PENVIZ_CACHE"

COMMAND = (sys.executable, "-m", "penviz.figures.umap_fit")
"""The child; it takes the names of two files."""

FEWEST = N_NEIGHBORS + 1
"""Examples that UMAP needs: more than it has neighbours."""

MOST_FILES = 500
"""Maps kept; the oldest go first."""

Float32 = NDArray[np.float32]


class UmapError(InputError):
    """A map that could not be made; one sentence for the user."""


def cache_directory() -> Path:
    """Where maps are kept; not made here."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named) / "umap"
    home = Path.home()
    if sys.platform == "darwin":
        system = home / "Library" / "Caches"
    elif sys.platform == "win32":
        system = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    else:
        system = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return system / "penviz" / "umap"


@dataclass(frozen=True)
class Request:
    """What a map is made of.

    Attributes:
        fit: [n, d] features that it is fitted on; more: [m, d] features placed on it afterwards, together;
            seed: of UMAP. Equal requests give equal maps with equal versions on one kind of machine.
        key: digest of all that decides the map.
    """

    fit: Float32
    more: Float32
    seed: int
    key: str = field(init=False)

    def __post_init__(self) -> None:
        if len(self.fit) < FEWEST:
            raise UmapError(f"UMAP needs {FEWEST} examples at least, there are {len(self.fit)}.")
        digest = hashlib.sha256()
        settings = [self.seed, N_NEIGHBORS, MIN_DIST, _version("umap-learn"), _version("numba")]
        digest.update(json.dumps([settings, self.fit.shape, self.more.shape]).encode())
        for part in (self.fit, self.more):
            digest.update(np.ascontiguousarray(part, np.float32).tobytes())
        object.__setattr__(self, "key", digest.hexdigest())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def kept(request: Request) -> tuple[Float32, Float32] | None:
    """The map of a request, coordinates [n, 2] and [m, 2], if it was made before; a damaged file is none."""
    return _read(cache_directory() / f"{request.key}.npz", request)


def _read(path: Path, request: Request) -> tuple[Float32, Float32] | None:
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            fit, more = np.asarray(file["fit_xy"], np.float32), np.asarray(file["more_xy"], np.float32)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    fits = fit.shape == (len(request.fit), 2) and more.shape == (len(request.more), 2)
    return (fit, more) if fits and np.isfinite(fit).all() and np.isfinite(more).all() else None


class Job:
    """One map in the making, in a child process watched by a thread.

    Attributes:
        words, share: how far it is, share in [0, 1].
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.words, self.share = "Waiting for its turn", 0.0
        self._child: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._cancelled = False
        self._error = ""
        self._done = threading.Event()
        threading.Thread(target=self._run, name="penviz-umap", daemon=True).start()

    @property
    def done(self) -> bool:
        """The child is gone, and its map is kept or `result` says why not."""
        return self._done.is_set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is done, at most some seconds; whether it is."""
        return self._done.wait(seconds)

    def cancel(self) -> None:
        """End the child; nothing is kept. Harmless when it is done."""
        with self._lock:
            self._cancelled = True
            if self._child is not None:
                self._child.kill()

    def result(self) -> tuple[Float32, Float32]:
        """The map, waiting for it.

        Raises:
            UmapError: cancelled, or UMAP could not make it.
        """
        self._done.wait()
        found = None if self._error else kept(self.request)
        if found is None:
            raise UmapError(self._error or "The map was removed from the cache: ask for it again.")
        return found

    def _run(self) -> None:
        try:
            with _turn():
                self._make()
        except UmapError as error:
            self._error = str(error)
        except OSError as error:
            where = cache_directory()
            self._error = f"UMAP could not write to {where} ({error.strerror}): set {CACHE_VARIABLE}."
        finally:
            self._done.set()

    def _make(self) -> None:
        place = cache_directory()
        place.mkdir(parents=True, exist_ok=True)
        own = uuid4().hex
        asked, answer, log = (place / f"{own}.{name}.part" for name in ("request", "answer", "log"))
        try:
            with open(asked, "wb") as file:
                np.savez(file, fit=self.request.fit, more=self.request.more, seed=self.request.seed)
            self._watch(asked, answer, log)
            if _read(answer, self.request) is None:
                raise UmapError("UMAP could not make a map of these features.")
            os.replace(answer, place / f"{self.request.key}.npz")
        finally:
            for path in (asked, answer, log):
                path.unlink(missing_ok=True)
        _prune(place)

    def _watch(self, asked: Path, answer: Path, log: Path) -> None:
        """Run the child and hear it out; what it says on standard error goes to a file."""
        compiled = os.environ.get("NUMBA_CACHE_DIR") or str(cache_directory().parent / "numba")
        with open(log, "wb") as errors, self._lock:
            if self._cancelled:
                raise UmapError("UMAP was cancelled.")
            self._child = subprocess.Popen(
                [*COMMAND, str(asked), str(answer)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                # One thread: with more, the same seed gives other maps on other machines.
                env=os.environ
                | {"NUMBA_CACHE_DIR": compiled, "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
        with self._child as child:
            assert child.stdout is not None
            for line in child.stdout:
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    said = json.loads(line)
                    self.words, self.share = str(said["words"]), min(max(float(said["share"]), 0.0), 1.0)
            child.wait()
        if self._cancelled:
            raise UmapError("UMAP was cancelled.")
        if child.returncode != 0:
            logger.warning(
                "UMAP ended with status %s: %s", child.returncode, log.read_text(errors="replace")[-2000:]
            )
            raise UmapError("UMAP ended early: is umap-learn installed, and is there memory enough?")


@lru_cache(maxsize=1)
def _turn() -> threading.Lock:
    """One map at a time in a process: each takes a core for half a minute."""
    return threading.Lock()


def _prune(place: Path) -> None:
    """Keep the newest maps."""
    found = sorted(place.glob("*.npz"), key=lambda path: path.stat().st_mtime)
    for path in found[:-MOST_FILES]:
        path.unlink(missing_ok=True)
