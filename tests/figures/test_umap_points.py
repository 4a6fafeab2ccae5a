"""UMAP in its child process: kept by digest, told of, ended; and the real one against umap-learn itself."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_runs import small_activations

from penviz.figures import umap_points
from penviz.figures.embeddings import MOST_FITTED, UmapPlan, embed_runs
from penviz.figures.umap_points import Job, Request, UmapError, cache_directory, kept
from penviz.projection.sample import draw

CHILD = """
import json, os, sys, threading, time
import numpy as np
def end():
    while os.read(0, 4096): pass
    os._exit(1)
threading.Thread(target=end, daemon=True).start()
with np.load(sys.argv[1]) as f: fit, more = f["fit"], f["more"]
print(json.dumps({"words": "half way", "share": 0.5}), flush=True)
print("no JSON", flush=True)
"""
ANSWER = (
    "np.savez(open(sys.argv[2], 'wb'), fit_xy=fit[:, :2].astype('f4'), more_xy=more[:, :2].astype('f4'))\n"
)

Play = Callable[[str], None]


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Play:
    """A child that does what a script says; the cache is in the test's own directory."""
    monkeypatch.setenv("PENVIZ_CACHE", str(tmp_path / "cache"))

    def play(text: str) -> None:
        script = tmp_path / "child.py"
        script.write_text(CHILD + textwrap.dedent(text))
        monkeypatch.setattr(umap_points, "COMMAND", (sys.executable, str(script)))

    return play


def request(seed: int = 0, n: int = 40) -> Request:
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.eye(6)[:2] * 9, n // 2, axis=0)
    fit = (rng.normal(size=(n, 6)) + clusters).astype(np.float32)
    return Request(fit, rng.normal(size=(7, 6)).astype(np.float32), seed)


def files() -> list[str]:
    return sorted(path.name for path in cache_directory().iterdir())


def test_a_map_is_made_once_and_kept(child: Play) -> None:
    child(ANSWER)
    asked = request()
    assert kept(asked) is None
    job = Job(asked)
    fit, more = job.result()
    assert job.done
    assert (job.words, job.share) == ("half way", 0.5)
    np.testing.assert_array_equal(fit, asked.fit[:, :2])
    np.testing.assert_array_equal(more, asked.more[:, :2])
    assert files() == [f"{asked.key}.npz"]
    child("raise SystemExit(3)")
    again = kept(request())
    assert again is not None
    np.testing.assert_array_equal(again[0], fit)


def test_the_key_holds_all_that_decides_a_map(monkeypatch: pytest.MonkeyPatch) -> None:
    first = request()
    changed = first.fit.copy()
    changed[3, 2] += 1e-3
    others = [
        Request(changed, first.more, 0),
        Request(first.fit, first.more + 1, 0),
        Request(first.fit, first.more, 1),
        Request(np.concatenate([first.fit, first.more]), first.more[:0], 0),
    ]
    assert len({first.key, *(other.key for other in others)}) == 5
    assert request().key == first.key
    monkeypatch.setattr(umap_points, "version", lambda package: f"{package} 99")
    assert request().key != first.key


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise SystemExit(3)", "ended early"),
        ("", "could not make a map"),
        (
            "np.savez(open(sys.argv[2], 'wb'), fit_xy=fit[:3, :2], more_xy=more[:, :2])",
            "could not make a map",
        ),
        (
            "np.savez(open(sys.argv[2], 'wb'), fit_xy=fit[:, :2] * np.nan, more_xy=more[:, :2])",
            "could not make",
        ),
        ("open(sys.argv[2], 'wb').write(b'PK')", "could not make a map"),
    ],
)
def test_a_child_that_fails_leaves_nothing(child: Play, text: str, said: str) -> None:
    child(text)
    with pytest.raises(UmapError, match=said):
        Job(request()).result()
    assert files() == []


def test_cancelling_ends_the_child_and_leaves_nothing(child: Play, tmp_path: Path) -> None:
    child(f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)")
    job = Job(request())
    while not (tmp_path / "pid").is_file() or not (tmp_path / "pid").read_text():
        time.sleep(0.02)
    second = Job(request(1))
    assert second.words == "Waiting for its turn"
    second.cancel()
    job.cancel()
    for one in (job, second):
        with pytest.raises(UmapError, match="cancelled"):
            one.result()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert files() == []


def test_a_damaged_file_in_the_cache_is_made_again(child: Play) -> None:
    child(ANSWER)
    asked = request()
    Job(asked).result()
    path = cache_directory() / f"{asked.key}.npz"
    path.write_bytes(path.read_bytes()[:100])
    assert kept(asked) is None
    assert Job(asked).result()[0].shape == (40, 2)


def test_old_maps_go_first(child: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    child(ANSWER)
    monkeypatch.setattr(umap_points, "MOST_FILES", 2)
    for seed in range(3):
        Job(request(seed)).result()
        os.utime(cache_directory() / f"{request(seed).key}.npz", (seed, seed))
    assert files() == sorted(f"{request(seed).key}.npz" for seed in (1, 2))


def test_places_of_the_cache_and_one_that_cannot_be_written(
    child: Play, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    child(ANSWER)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PENVIZ_CACHE", str(tmp_path / "file"))
    with pytest.raises(UmapError, match="PENVIZ_CACHE"):
        Job(request()).result()
    monkeypatch.delenv("PENVIZ_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_directory() == tmp_path / "xdg" / "penviz" / "umap"


def test_too_few_examples_is_one_sentence() -> None:
    with pytest.raises(UmapError, match="needs 16 examples"):
        Request(np.zeros((15, 3), np.float32), np.zeros((0, 3), np.float32), 0)


@pytest.mark.parametrize("most", [MOST_FITTED, 30])
def test_every_stored_example_gets_its_own_place(
    child: Play, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """The stand-in map is the first two features, so that a mixed-up row would show; turning is undone."""
    child(ANSWER)
    monkeypatch.setattr("penviz.figures.embeddings.MOST_FITTED", most)
    run = {s: small_activations("hard", s) for s in ("train", "validation")}
    said: list[str] = []
    (found,) = embed_runs([run], (3, 0, 7), "umap", seed=4, say=said.append)
    assert len(said) == 1
    assert found.n_fitted == min(most, 90)
    assert found.map is None
    for split, a in run.items():
        rows = np.concatenate(found.placed[split].rows)
        assert sorted(rows) == np.flatnonzero(np.isin(a.labels, (3, 0, 7))).tolist()
        xy, plain = found.placed[split].at(rows), a.features[rows, :2].astype(np.float64)
        ways = [np.linalg.norm(p[:, None] - p[None], axis=-1) for p in (xy, plain)]
        np.testing.assert_allclose(*ways, atol=1e-4)
    embed_runs([run], (3, 0, 7), "umap", seed=4, say=said.append)
    assert len(said) == 1  # kept
    plan = UmapPlan.of(run, (3, 0, 7), False, 4)
    per = most // 3
    own = np.flatnonzero(run["train"].labels == 0)
    chosen = own[draw(run["train"].indices[own], per, 4)]
    assert set(chosen) <= set(plan.fit)
    everyone = UmapPlan.of(run, (3, 0, 7), True, 4)
    assert len(everyone.fit) == min(most // 10, 30) * 10


@pytest.mark.slow
def test_the_child_draws_what_umap_learn_draws(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """What numba compiles is kept between runs of the tests: it takes half a minute."""
    assert pytestconfig.cache is not None
    monkeypatch.setenv("PENVIZ_CACHE", str(tmp_path))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(pytestconfig.cache.mkdir("numba").resolve()))
    asked = request(3)
    job = Job(asked)
    fit, more = job.result()
    assert more.shape == (7, 2)
    assert job.share > 0.9
    np.save(tmp_path / "fit.npy", asked.fit)
    plain = (
        "import sys, numpy as np; from umap import UMAP; "
        "model = UMAP(n_neighbors=15, min_dist=0.1, random_state=3, n_jobs=1); "
        "np.save(sys.argv[2], model.fit_transform(np.load(sys.argv[1])))"
    )
    environment = os.environ | {"NUMBA_NUM_THREADS": "1"}
    command = [sys.executable, "-c", plain, str(tmp_path / "fit.npy"), str(tmp_path / "xy.npy")]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    np.testing.assert_array_equal(fit, np.load(tmp_path / "xy.npy"))
    middles = fit.reshape(2, 20, 2).mean(axis=1)
    assert np.linalg.norm(middles[0] - middles[1]) > 3 * fit.reshape(2, 20, 2).std(axis=1).max()
