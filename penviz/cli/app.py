"""`penviz app`: the app in the browser."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from penviz.store.run_config import RunError


def open_app(
    runs: Annotated[
        Path | None,
        typer.Option(help="Directory of runs; if not given, PENVIZ_RUNS, ./checkpoints or the demo pair."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Offer the checkpoints and image folders below this directory.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 8501,
    address: Annotated[
        str, typer.Option(help="Address to listen on; localhost means this computer only.")
    ] = "localhost",
) -> None:
    """Open the app in the browser."""
    if runs is not None:
        if not runs.is_dir():
            raise RunError(f"There is no directory {runs}.")
        os.environ["PENVIZ_RUNS"] = str(runs.resolve())
    if data is not None:
        if not data.is_dir():
            raise RunError(f"There is no directory {data}.")
        if address not in ("localhost", "127.0.0.1", "::1"):
            raise RunError("--data offers what lies on this disk, so it needs --address localhost.")
        os.environ["PENVIZ_DATA"] = str(data.resolve())
    script = Path(__file__).resolve().parents[1] / "app" / "server.py"  # with its .streamlit/config.toml
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    command += ["--server.address", address]
    os.execv(sys.executable, command)
