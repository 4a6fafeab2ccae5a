"""The app's side of the sandbox without a child: what it believes of messages and of endings."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from penviz.external.sandbox import answer as answers
from penviz.external.sandbox.answer import BadMessage, Budget, SandboxError, judge, messages
from penviz.external.sandbox.job import remove_tree

BUDGET = Budget(memory_bytes=3 << 29, cpu_seconds=7, wall_seconds=9)


def test_messages_are_read_line_by_line() -> None:
    stream = io.BytesIO(b'{"tell": {"done": 1}}\n{"result": {"a": "\\u00e9"}}\n')
    assert list(messages(stream)) == [{"tell": {"done": 1}}, {"result": {"a": "é"}}]
    assert list(messages(io.BytesIO())) == []


@pytest.mark.parametrize(
    "said",
    [
        *(b"{}", b"\n", b"3\n", b"null\n", b"[{}]\n", b'{"a": 1}', b"\xff\n", b"{}{}\n"),
        b"[" * 10**6 + b"\n",
        b"9" * 9999,
    ],
)
def test_what_is_not_a_message(said: bytes) -> None:
    with pytest.raises(BadMessage, match="not a message"):
        list(messages(io.BytesIO(said)))


def test_a_message_and_all_messages_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "LINE_BYTES", 100)
    monkeypatch.setattr(answers, "TOTAL_BYTES", 250)
    line = json.dumps({"a": "b" * 90}).encode() + b"\n"
    assert len(line) == 100
    assert len(list(messages(io.BytesIO(line * 2)))) == 2
    with pytest.raises(BadMessage, match="more than it may"):
        list(messages(io.BytesIO(line * 3)))
    with pytest.raises(BadMessage, match="more than it may"):
        list(messages(io.BytesIO(b" " + line)))


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (-9, "memory", "more than the 1.5 GB of memory"),
        (-24, "time", "more than the 7 s of processor time"),
        (-14, "time", "more than the 9 s that"),
        (-11, "died", "SIGSEGV"),
        (-7, "died", "SIGBUS"),
        (-15, "died", "SIGTERM"),
        (-64, "died", "signal 64"),
        (0, "died", "without an answer"),
        (1, "died", "status 1"),
        (None, "died", "try again"),
    ],
)
def test_every_ending_has_a_reason(status: int | None, reason: str, words: str) -> None:
    with pytest.raises(SandboxError, match=words) as caught:
        judge({}, "", status, "", BUDGET)
    assert caught.value.reason == reason


def test_what_the_app_did_itself_comes_first() -> None:
    answer = {"result": {"a": 1}}
    assert judge(answer, "", 0, "", BUDGET) == {"a": 1}
    assert judge(answer, "", -9, "", BUDGET) == {"a": 1}  # ended after its answer
    for stopped, reason in (("cancelled", "cancelled"), ("time", "time")):
        with pytest.raises(SandboxError) as caught:
            judge(answer, "wrote more than it may", -9, stopped, BUDGET)
        assert caught.value.reason == reason
    with pytest.raises(SandboxError, match="wrote more than it may") as caught:
        judge(answer, "wrote more than it may", -9, "", BUDGET)
    assert caught.value.reason == "died"


def test_words_of_a_child_cannot_write_on_a_terminal_nor_fill_a_page() -> None:
    with pytest.raises(SandboxError) as caught:
        judge({"refused": "\x1b]0;evil\x07a\nb\u202e" + "c" * 10**6, "advice": "\x00d"}, "", 0, "", BUDGET)
    assert str(caught.value).startswith("]0;evila\nbccc")
    assert len(str(caught.value)) < 20_001
    assert caught.value.advice == "d"


def test_a_tree_that_was_locked_is_removed_and_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("x")
    root = tmp_path / "root"
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/file").write_text("x")
    (root / "a/link").symlink_to(outside)
    os.chmod(root / "a/b", 0)
    os.chmod(root / "a", 0)
    remove_tree(root)
    assert not root.exists()
    assert (outside / "file").exists()
    remove_tree(root)


def test_the_app_side_imports_no_torch_and_no_numpy() -> None:
    code = (
        "import sys, penviz.external.sandbox.workspace; "
        "print([m for m in ('torch', 'numpy') if m in sys.modules])"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "[]"
