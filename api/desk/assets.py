"""The files of the pages, each under a name that changes with its content."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from fastapi import Request, Response

from api.envelope import ApiError

CHARTS = "lightweight-charts.js"
CHARTS_FILE = "vendor/lightweight-charts.standalone.production.js"
"""Where the package `lwcharts` carries it."""

CHARTS_VERSION = "5.2.0"
CHARTS_SHA256 = "c0992580867c4912cc9385b3c2728315bcc1a76c7f1087dca908430fccdf31d7"
"""Of the file in the npm release of that version."""

NOTICE = """\
TradingView Lightweight Charts™
Copyright (c) 2026 TradingView, Inc. https://www.tradingview.com/

Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in
compliance with the License. You may obtain a copy of the License at

    https://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software distributed under the License is
distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or
implied. See the License for the specific language governing permissions and limitations under the
License."""

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file.

    Attributes:
        content: Its bytes.
        zipped: The same, by gzip.
        media_type: What it is.
    """

    content: bytes
    zipped: bytes
    media_type: str


class Assets:
    """All files, read once; their folder's name is a hash of all of them."""

    def __init__(self) -> None:
        found = {path.name: path.read_bytes() for path in _own_files()}
        found["tokens.css"] = (files("trading.report") / "tokens.css").read_bytes()
        found[CHARTS] = charts_file().read_bytes()
        digest = hashlib.sha256()
        for name in sorted(found):
            digest.update(found[name])
        self._folder = f"/desk/files/{digest.hexdigest()[:16]}"
        self._files = {
            f"{self._folder}/{name}": Asset(
                content, gzip.compress(content, mtime=0), _TYPES[Path(name).suffix]
            )
            for name, content in found.items()
        }

    @property
    def paths(self) -> frozenset[str]:
        """Where they are."""
        return frozenset(self._files)

    def url(self, name: str) -> str:
        """Where a file is, by its name."""
        path = f"{self._folder}/{name}"
        if path not in self._files:
            raise KeyError(name)
        return path

    def served(self, request: Request) -> Response:
        """The file that a request asks for.

        Raises:
            ApiError: There is none.
        """
        asset = self._files.get(request.url.path)
        if asset is None:
            raise ApiError(404, "not_found", "There is no such file; load the page again.")
        accepted = re.split(r"\s*,\s*", request.headers.get("accept-encoding", ""))
        if "gzip" in (word.partition(";")[0] for word in accepted):
            headers = _HEADERS | {"Content-Encoding": "gzip"}
            return Response(asset.zipped, 200, headers, asset.media_type)
        return Response(asset.content, 200, _HEADERS, asset.media_type)


@cache
def assets() -> Assets:
    """The files of this process."""
    return Assets()


def charts_file() -> Path:
    """The charts' file; the package around it is not imported, because it would bring pandas."""
    found = find_spec("lwcharts")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'lwcharts'", name="lwcharts")
    return Path(found.submodule_search_locations[0]) / CHARTS_FILE


def _own_files() -> Iterable[Path]:
    folder = Path(__file__).with_name("static")
    return (path for path in sorted(folder.iterdir()) if path.suffix in _TYPES)
