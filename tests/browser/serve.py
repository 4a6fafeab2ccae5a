"""Starts the app in this process, as `streamlit run app.py` does, and on SIGUSR1 writes what is imported.

python tests/browser/serve.py PORT MODULES_FILE
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType

APP = Path(__file__).parents[2] / "app.py"


def main() -> None:
    port, modules_file = sys.argv[1], Path(sys.argv[2])

    def dump(_signal: int, _frame: FrameType | None) -> None:
        part = modules_file.with_suffix(".part")
        part.write_text(json.dumps(sorted(sys.modules)))
        os.replace(part, modules_file)

    signal.signal(signal.SIGUSR1, dump)
    from streamlit.web.cli import main as streamlit

    from penviz.app import visitor

    visitor.GRACE_SECONDS = 0.5  # a test does not wait for a connection to come back
    sys.argv = [
        "streamlit",
        "run",
        str(APP),
        f"--server.port={port}",
        "--server.address=127.0.0.1",
        "--server.headless=true",
    ]
    streamlit()


if __name__ == "__main__":
    main()
