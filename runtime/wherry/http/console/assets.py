"""Files that pages need. Their addresses change with their content, so browsers may keep them."""

import hashlib
from functools import cache
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}


@cache
def _files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix in _TYPES}


@cache
def url(name: str) -> str:
    """The address of a file."""
    return f"/console/static/{name}?v={hashlib.sha256(_files()[name]).hexdigest()[:12]}"


async def serve(request: Request) -> Response:
    """Send a file."""
    name = request.path_params["name"]
    content = _files().get(name)
    if content is None:
        raise HTTPException(404)
    about = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(content, headers=about, media_type=_TYPES[Path(name).suffix])
