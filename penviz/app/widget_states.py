"""Values that a browser sends and no control can have: from an old tab, a proxy, a hand-made message.

Streamlit reads them before the page runs, and one of the wrong type (a number for a list of words) ends the
run with a TypeError of its own. Here such a control goes back to its default, and the visitor is told.
"""

from __future__ import annotations

import functools
import threading
from copy import deepcopy
from typing import Any

import streamlit as st
from streamlit.runtime.state.session_state import Serialized, WStates

RESET = "A control held a value that it cannot have, so it went back to its default: reload an old tab."

NUMBERS = {"int_value", "double_value"}
"""A field of whole numbers is registered as one of doubles, and the browser sends its value as an integer."""


@functools.lru_cache(maxsize=1)
def _of_this_thread() -> threading.local:
    """Whether a control was reset (`told`); Streamlit runs a session in one thread at a time."""
    return threading.local()


@functools.lru_cache(maxsize=1)
def mend_widget_states() -> None:
    """Let values that cannot be read be defaults, in all sessions of this process."""
    read = WStates.__getitem__

    def read_or_reset(states: WStates, key: str) -> Any:
        stored, known = states.states.get(key), states.widget_metadata.get(key)
        if not isinstance(stored, Serialized) or known is None:
            return read(states, key)
        sent = stored.value.WhichOneof("value")
        fits = sent is None or known.value_type in (None, sent) or {sent, known.value_type} <= NUMBERS
        if fits:
            try:
                return read(states, key)
            except Exception:  # whatever the control's own reading stumbles over
                pass
        default = deepcopy(known.deserializer(None))
        states.set_from_value(key, default)
        _of_this_thread().told = True
        return default

    WStates.__getitem__ = read_or_reset  # type: ignore[method-assign]


def say_reset() -> None:
    """Tell the visitor of controls that went back to their defaults since the last run."""
    if getattr(_of_this_thread(), "told", False):
        _of_this_thread().told = False
        st.toast(RESET)
