"""What a taken-over child left is looked at before the app opens it, and bounded."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from penviz.external.sandbox import answer
from penviz.external.sandbox.answer import BadMessage, SandboxError, messages
from penviz.external.sandbox.handover import hand_over


def link(made: Path) -> None:
    (made / "activations-train.npz").symlink_to("/etc/passwd")


def hard_link(made: Path) -> None:
    (made.parent / "other").write_text("somebody's")
    os.link(made.parent / "other", made / "run.json")


def linked_directory(made: Path) -> None:
    (made / "train").symlink_to("/etc")


def pipe(made: Path) -> None:
    os.mkfifo(made / "run.json")


def bomb(made: Path) -> None:
    path = made / "activations-train.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("features.npy", "logits.npy"):
            archive.writestr(name, bytes(54321))
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", 54321), struct.pack("<I", 2**32 - 2)))


def impossible(made: Path) -> None:
    with zipfile.ZipFile(made / "snapshots-train.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("features.npy", bytes(54321))
    content = (made / "snapshots-train.npz").read_bytes()
    claims = content.replace(struct.pack("<I", 54321), struct.pack("<I", 64 << 20))
    (made / "snapshots-train.npz").write_bytes(claims)


def no_archive(made: Path) -> None:
    (made / "snapshots-train.npz").write_bytes(b"garbage")


def long_record(made: Path) -> None:
    (made / "run.json").write_text("[" + " " * (5 << 20) + "]")


def image_bomb(made: Path) -> None:
    size = struct.pack("<I", 16383 - 1 | (16383 - 1) << 14)
    body = b"WEBPVP8L" + struct.pack("<I", 5) + b"\x2f" + size
    (made / "thumbnails-train.webp").write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


def no_image(made: Path) -> None:
    (made / "thumbnails-train.webp").write_bytes(b"garbage")


def nothing(made: Path) -> None:
    made.rmdir()


def itself_a_link(made: Path) -> None:
    made.rmdir()
    made.symlink_to("/etc")


HOSTILE = {
    link: "a link or a device", hard_link: "a link or a device", linked_directory: "a link or a device",
    pipe: "a link or a device", bomb: "hold more than 4 GiB", impossible: "inflates",
    no_archive: "no zip|not a zip|zip", long_record: "too long",
    image_bomb: "too large", no_image: "too large", nothing: "cannot be read", itself_a_link: "no directory",
}  # fmt: skip


@pytest.mark.parametrize(("make", "words"), HOSTILE.items(), ids=lambda v: getattr(v, "__name__", ""))
def test_it_is_not_taken_over(make: Callable[[Path], None], words: str, tmp_path: Path) -> None:
    made, place = tmp_path / "job" / "run", tmp_path / "runs" / "run"
    made.mkdir(parents=True)
    make(made)
    with pytest.raises(SandboxError, match=words) as caught:
        hand_over(made, place, replace=False)
    assert caught.value.reason == "died"
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")
    assert not os.path.lexists(place)


def test_a_run_takes_its_place_and_an_older_one_gives_way(tmp_path: Path) -> None:
    place = tmp_path / "runs" / "run"
    for turn in range(2):
        made = tmp_path / "job" / "run"
        made.mkdir(parents=True)
        (made / "run.json").write_text(str(turn))
        np.savez_compressed(made / "activations-train.npz", features=np.zeros((10, 3)))
        hand_over(made, place, replace=turn == 1)
        assert (place / "run.json").read_text() == str(turn)
        assert not made.exists()
    (tmp_path / "job" / "run").mkdir()
    with pytest.raises(SandboxError, match=r"run exists already\."):
        hand_over(tmp_path / "job" / "run", place, replace=False)
    assert (place / "run.json").read_text() == "1"


def test_features_that_are_all_zero_are_kept(tmp_path: Path) -> None:
    made = tmp_path / "job" / "run"
    made.mkdir(parents=True)
    zeros = np.zeros((40_000, 64), np.float32)
    np.savez_compressed(made / "activations-train.npz", features=zeros)
    assert (made / "activations-train.npz").stat().st_size < zeros.nbytes / 900
    hand_over(made, tmp_path / "run", replace=False)
    with np.load(tmp_path / "run" / "activations-train.npz") as kept:
        np.testing.assert_array_equal(kept["features"], zeros)


def test_a_message_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = b"[],"
    line = b'{"result": {"a": [' + unit * ((answer.LINE_BYTES - 40) // len(unit)) + b"0]}}\n"
    assert len(line) <= answer.LINE_BYTES

    def peak() -> int:
        tracemalloc.start()
        try:
            for _ in messages(io.BytesIO(line)):
                pass
        finally:
            taken = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return taken

    with pytest.raises(BadMessage, match="more than it may"):
        peak()
    monkeypatch.setattr(answer, "MOST_VALUES", 10**9)
    assert peak() > 90 << 20  # this is what the limit is for
    monkeypatch.undo()
    line = b'{"result": {"a": [' + unit * (answer.MOST_VALUES // 5) + b"0]}}\n"
    assert peak() < 80 << 20


@pytest.mark.parametrize("text", [b"\x80\x04N.\n", b"cos\nsystem\n(S'true'\ntR.\n", b"NaN\n"])
def test_a_pickle_is_no_message(text: bytes) -> None:
    with pytest.raises(BadMessage, match="not a message"):
        list(messages(io.BytesIO(text)))
