"""Files that a browser reads over HTTP and keeps: Plotly as it ships, the component's modules, thumbnails.

Inline they would go over the websocket with every change of a control: Plotly.js alone is 4.8 MB.
"""

from __future__ import annotations

import hashlib
import secrets
from functools import cache
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

FOLDER = Path(__file__).parent
SCRIPT = FOLDER.parent / "main.py"
MODULES = ("geometry.js", "overlay.js", "panels.js")
PLOTLY = "plotly.min.js"
MOST_IMAGES = 256
"""Thumbnail files that can be asked for at a time; the one named longest ago is forgotten first."""

_IMAGES: dict[str, Path] = {}


@cache
def _paths() -> dict[str, Path]:
    """Where each file lies, by its name."""
    plotly = util.find_spec("plotly")
    if plotly is None or plotly.origin is None:
        raise FileNotFoundError("plotly is not installed: pip install plotly.")
    data = Path(plotly.origin).parent / "package_data"
    return {PLOTLY: data / PLOTLY} | {name: FOLDER / name for name in MODULES}


@cache
def _version() -> str:
    """Part of each address, which stands for one content for ever: browsers need not ask again."""
    told = hashlib.sha256(metadata.version("plotly").encode())
    for name in MODULES:
        told.update((FOLDER / name).read_bytes())
    return told.hexdigest()[:12]


@cache
def _salt() -> bytes:
    """Without it the address of an image could be guessed from the path of its run."""
    return secrets.token_bytes(16)


def _base() -> str:
    import streamlit as st

    return "/".join(["", *filter(None, [str(st.get_option("server.baseUrlPath")).strip("/"), "penviz"])])


def file_url(name: str) -> str:
    """Path of the address of PLOTLY or one of MODULES."""
    return f"{_base()}/files/{_version()}/{name}"


def image_url(path: Path, digest: str) -> str:
    """Path of the address of a file of thumbnails; a new version of it has another.

    Args:
        path: of the file; digest: of its version.
    """
    key = hashlib.sha256(_salt() + digest.encode()).hexdigest()[:32]
    _IMAGES.pop(key, None)
    _IMAGES[key] = path
    while len(_IMAGES) > MOST_IMAGES:
        _IMAGES.pop(next(iter(_IMAGES)))
    return f"{_base()}/thumbnails/{key}"


def _send(path: Path | None, kind: str) -> Response:
    from starlette.responses import FileResponse, PlainTextResponse

    if path is None or not path.is_file():
        return PlainTextResponse("Not found.", 404)
    # Packing 4.8 MB anew for each browser costs more than it saves on this computer: "identity" prevents it.
    headers = {"Cache-Control": "private, max-age=31536000, immutable", "Content-Encoding": "identity"}
    return FileResponse(path, media_type=kind, headers=headers)


async def _file(request: Request) -> Response:
    return _send(_paths().get(request.path_params["name"]), "text/javascript")


async def _image(request: Request) -> Response:
    return _send(_IMAGES.get(request.path_params["key"]), "image/webp")


def routes() -> list[BaseRoute]:
    """What `st.App` answers beside Streamlit's own addresses."""
    from starlette.routing import Route

    return [
        Route(f"{_base()}/files/{{version}}/{{name}}", _file),
        Route(f"{_base()}/thumbnails/{{key}}", _image),
    ]
