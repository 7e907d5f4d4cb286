"""The pages' files: whose they are, and under which name."""

from __future__ import annotations

import gzip
import hashlib
import re
import subprocess
import sys

from api.desk.assets import CHARTS, CHARTS_SHA256, CHARTS_VERSION, assets, charts_file
from tests.api.desk.application import Application


def test_the_charts_are_the_file_of_the_release_on_npm() -> None:
    content = charts_file().read_bytes()
    assert hashlib.sha256(content).hexdigest() == CHARTS_SHA256
    assert f"TradingView Lightweight Charts™ v{CHARTS_VERSION}".encode() in content
    assert b"Licensed under Apache License 2.0" in content


def test_finding_the_charts_imports_nothing_of_the_package_that_carries_them() -> None:
    code = "import sys, api.desk.assets as a; a.charts_file(); print('lwcharts' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


async def test_files_are_kept_for_good_under_a_name_of_their_content(
    application: Application,
) -> None:
    url = assets().url("desk.js")
    plain = await application.client.get(url, headers={"Accept-Encoding": "identity"})
    zipped = await application.client.get(url, headers={"Accept-Encoding": "br, gzip;q=0.8"})
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "content-encoding" not in plain.headers
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.content == plain.content
    assert len(gzip.compress(plain.content)) < len(plain.content)
    missing = await application.client.get(url.replace("desk.js", "../../../pyproject.toml"))
    assert missing.status_code == 404
    other = await application.client.get(re.sub(r"/[0-9a-f]{16}/", "/0000000000000000/", url))
    assert other.status_code == 404


async def test_a_page_with_its_files_is_small(application: Application) -> None:
    page = await application.page("/")
    names = re.findall(r'(?:src|href)="(/desk/files/[^"]+)"', page)
    modules = [n for n in assets().paths if n.endswith(("feed.js", "rows.js", "/charts.js"))]
    assert any(name.endswith(CHARTS) for name in names)
    size = len(gzip.compress(page.encode()))
    for name in {*names, *modules}:
        answer = await application.client.get(name)
        size += int(answer.headers["content-length"])
    assert size < 90_000
