"""Visitors of the app without browsers: Streamlit's own messages over a websocket, in one thread each."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode


class Visitor:
    """One session: opens the page and changes a class, as a browser would, and counts what it is sent.

    Attributes:
        sent: bytes received so far; errors: exceptions that the page showed.
    """

    def __init__(self, url: str, query: dict[str, list[str]]) -> None:
        from websockets.sync.client import connect

        address = url.replace("http", "ws", 1) + "/_stcore/stream"
        self._socket = connect(address, max_size=None, open_timeout=60, subprotocols=["streamlit"])  # type: ignore[list-item]
        self._query = urlencode(query, doseq=True)
        self._fragment = ""
        self._widgets: dict[str, tuple[str, list[str]]] = {}
        self.sent = 0
        self.errors: list[str] = []

    def open(self) -> float:
        """The first run of the page, seconds."""
        return self._run({}, "")

    def change_class(self, turn: int) -> float:
        """Another class above, seconds until the server has sent all of it.

        A browser says with every change what all pickers hold, and so does this.
        """
        (left, options), (right, _), (above, _) = (self._widgets[k] for k in ("left", "right", "above"))
        free = options[2:]
        values = {left: options[0], right: options[1], above: free[turn % len(free)]}
        return self._run(values, self._fragment)

    def close(self) -> None:
        """Leave the page."""
        self._socket.close()

    def _run(self, values: dict[str, str], fragment: str) -> float:
        from streamlit.proto.BackMsg_pb2 import BackMsg

        message = BackMsg()
        message.rerun_script.query_string = self._query
        message.rerun_script.fragment_id = fragment
        for key, value in values.items():
            state = message.rerun_script.widget_states.widgets.add()
            state.id, state.string_value = key, value
        began = time.perf_counter()
        self._socket.send(message.SerializeToString())
        while not self._finished():
            pass
        return time.perf_counter() - began

    def _finished(self) -> bool:
        """Read one message; whether it ends a run."""
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        raw: Any = self._socket.recv(timeout=180)
        self.sent += len(raw)
        message = ForwardMsg()
        message.ParseFromString(raw)
        if message.WhichOneof("type") == "delta":
            self._note(message.delta)
        return message.WhichOneof("type") == "script_finished"

    def _note(self, delta: Any) -> None:
        element = delta.new_element
        kind = element.WhichOneof("type")
        if kind == "exception":
            self.errors.append(element.exception.message)
        if kind == "selectbox":
            for name in ("left", "right", "above"):
                if element.selectbox.label == f"Class {name}":
                    self._widgets[name] = (element.selectbox.id, list(element.selectbox.options))
                    self._fragment = delta.fragment_id
