"""What a page tells the sandbox: places that mean the same in another process, and the disk only at home."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st

from penviz.app import visitor
from penviz.external.sandbox.answer import SandboxError


def test_the_data_directory_means_the_same_in_a_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(visitor.DATA_VARIABLE, raising=False)
    assert visitor.data_directory() == tmp_path / "data"
    monkeypatch.setenv(visitor.DATA_VARIABLE, "elsewhere")
    assert visitor.data_directory() == tmp_path / "elsewhere"


@pytest.mark.parametrize(
    ("address", "asked", "offered"),
    [
        ("localhost", True, True),
        ("127.0.0.1", True, True),
        ("localhost", False, False),
        ("0.0.0.0", True, False),
    ],
)
def test_the_disk_is_offered_at_home_and_when_asked(
    address: str, asked: bool, offered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(st, "get_option", {"server.address": address}.get)
    monkeypatch.setenv(visitor.DATA_VARIABLE, "data" if asked else "")
    assert visitor.offers_disk() is offered


def test_an_address_that_was_not_given_is_not_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(st, "get_option", {"server.address": None}.get)
    assert not visitor.listens_locally(), "Streamlit then listens on every address"


def test_a_cleared_cache_ends_the_server_of_the_sandbox() -> None:
    visitor.sandbox.clear()  # type: ignore[attr-defined]
    first = visitor.sandbox()
    assert visitor.sandbox() is first
    st.cache_resource.clear()
    with pytest.raises(SandboxError, match="shutting down"):
        first.child(Path())
    assert visitor.sandbox() is not first
    st.cache_resource.clear()
