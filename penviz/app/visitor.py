"""Who is looking: a visitor's private directory, what they brought, and the sandbox that reads it.

A visitor is a browser session. What they bring lies in a directory of their own, is shown to nobody else, and
is removed when they leave.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import streamlit as st

from penviz.app.catalogue import MORE_ROOTS
from penviz.app.trained_here import TrainedHere
from penviz.app.upload import Upload
from penviz.external.sandbox.sandbox import Sandbox
from penviz.external.sandbox.workspace import Workspace, Workspaces

_KEY = "visitor"
GRACE_SECONDS = 20.0
"""A connection that breaks and comes back within this time finds everything as it was."""


@dataclass
class Visitor:
    """One browser session.

    Attributes:
        workspace: a directory that only this session uses.
        uploads: what was brought, by its id, in the order of arrival.
        folders: id of an upload -> directory of the images unpacked from it.
        training: of networks in this session, under way or ended with an error.
    """

    workspace: Workspace
    name: str = field(default_factory=lambda: uuid4().hex)
    uploads: dict[str, Upload] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)
    training: TrainedHere | None = None
    leaving: threading.Timer | None = None

    @property
    def runs_directory(self) -> Path:
        """Where the runs of this visitor lie."""
        return self.workspace.directory / "runs"

    def close(self) -> None:
        """Stop the visitor's work and remove everything that was brought."""
        self.uploads.clear()
        self.folders.clear()
        self.workspace.close()


def visitor() -> Visitor:
    """The visitor of this session, made when something is brought for the first time."""
    found: Visitor | None = st.session_state.get(_KEY)
    if found is None:
        found = Visitor(_workspaces().open())
        found.runs_directory.mkdir()
        st.session_state[_KEY] = found
        st.session_state[MORE_ROOTS] = (found.runs_directory,)
    _presence(found.name, found)
    return found


def known_visitor() -> Visitor | None:
    """The visitor of this session, None while nothing was brought or made."""
    return visitor() if _KEY in st.session_state else None


@dataclass(frozen=True)
class _Presence:
    visitor: Visitor


def _leave(presence: _Presence) -> None:
    """The connection is gone; it may only have broken, so wait before everything is removed."""
    timer = threading.Timer(GRACE_SECONDS, presence.visitor.close)
    timer.daemon = True
    presence.visitor.leaving = timer
    timer.start()


@st.cache_resource(scope="session", show_spinner=False, on_release=_leave)
def _presence(name: str, _visitor: Visitor) -> _Presence:
    """Lives as long as the connection of the session; runs again when a broken one comes back."""
    if _visitor.leaving is not None:
        _visitor.leaving.cancel()
        _visitor.leaving = None
    return _Presence(_visitor)


@st.cache_resource(show_spinner=False)
def _workspaces() -> Workspaces:
    """The directories of all visitors of this process."""
    return Workspaces()


@st.cache_resource(show_spinner=False, on_release=Sandbox.close)
def sandbox() -> Sandbox:
    """The one sandbox of this process; its server ends when Streamlit's cache is cleared."""
    return Sandbox()


DATA_VARIABLE = "PENVIZ_DATA"
_LOCAL = ("localhost", "127.0.0.1", "::1")


def listens_locally() -> bool:
    """Whether only this computer can reach the page."""
    return str(st.get_option("server.address") or "") in _LOCAL


def data_directory() -> Path:
    """Where data sets lie: PENVIZ_DATA, or ./data; absolute, because a job runs in a directory of its own."""
    return Path(os.environ.get(DATA_VARIABLE) or "data").resolve()


def offers_disk() -> bool:
    """Whether checkpoints and folders below the data directory are offered: only at home, only when asked."""
    return bool(os.environ.get(DATA_VARIABLE)) and listens_locally()
