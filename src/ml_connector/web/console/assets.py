"""Style, script, fonts: served from memory under names that carry their content, so that a browser may keep them.

Third-party parts come from npm at build time (`tools/browser_assets.py`); ours are joined here from `style/` and
`script/`.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

HERE: Final = Path(__file__).parent
BUILT: Final = HERE.parent / "static"
TYPES: Final = {"css": "text/css", "js": "text/javascript", "woff2": "font/woff2", "txt": "text/plain"}
KEEP: Final = "public, max-age=31536000, immutable"


class AssetsMissing(RuntimeError):
    """The browser assets were not built."""


class Assets:
    """All files by their served name; `address` by their plain name."""

    def __init__(self) -> None:
        manifest = BUILT / "manifest.json"
        if not manifest.exists():
            raise AssetsMissing("The console's browser assets are missing: run `make assets`, or install the wheel.")
        named: dict[str, str] = json.loads(manifest.read_text())
        self._files = {served: (BUILT / served).read_bytes() for served in named.values()}
        named |= {own: self._keep(own, folder) for own, folder in (("console.css", "style"), ("console.js", "script"))}
        self._named: Mapping[str, str] = MappingProxyType(named)

    def _keep(self, name: str, folder: str) -> str:
        stem, suffix = name.split(".")
        content = b"\n".join(part.read_bytes() for part in sorted((HERE / folder).glob(f"*.{suffix}")))
        served = f"{stem}.{hashlib.sha256(content).hexdigest()[:10]}.{suffix}"
        self._files[served] = content
        return served

    def address(self, name: str) -> str:
        """Where a page finds `name`. Raises `KeyError` for what there is not."""
        return f"/static/{self._named[name]}"

    async def serve(self, request: Request) -> Response:
        """`GET /static/{name}`: open to all, it is the style of the sign-in page too."""
        name = request.path_params["name"]
        content = self._files.get(name)
        if content is None:
            return Response(status_code=404)
        kind = TYPES.get(name.rsplit(".", 1)[-1], "application/octet-stream")
        return Response(content, media_type=kind, headers={"Cache-Control": KEEP})


@lru_cache(maxsize=1)
def assets() -> Assets:
    """Of this process. Raises `AssetsMissing`."""
    return Assets()
