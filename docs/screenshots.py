"""The pictures of the documents: `python docs/screenshots.py` writes them into `docs/images/`.

Runs `trading demo` on folders of its own and looks at the report and the Prefect UI with Debian's
Chromium, whose address PATH knows. `PYTHONPATH=. python docs/screenshots.py --desk` looks at the
desk instead, over a database and a lake that are filled as its tests fill them.
"""
# ruff: noqa: INP001 - a script

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.request import Request, urlopen

from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
WAIT_MS = 60_000
SCENES: dict[Literal["light", "dark"], int] = {"light": 0, "dark": 1_005}
"""How far down the report each of its pictures begins, in pixels."""
DESK_SCENES: tuple[tuple[str, str, Literal["light", "dark"], int], ...] = (
    ("overview-dark", "/", "dark", 1_280),
    ("overview-light", "/", "light", 1_280),
    ("symbol", "/symbols/AAPL", "dark", 1_280),
    ("strategy", "/strategies/rsi_reversion", "light", 1_280),
    ("phone", "/", "dark", 390),
)
"""Name, page, scheme and width of each of the desk's pictures."""
SETTLE_MS = 2_500
"""The graph moves to its place before it is worth a picture."""


def main() -> None:
    """Make every picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ui", help="a Prefect UI that has a run of the demo, to start none")
    parser.add_argument("--report", type=Path, help="that run's report.html")
    parser.add_argument("--desk", action="store_true", help="the pictures of the desk alone")
    asked = parser.parse_args()
    IMAGES.mkdir(exist_ok=True)
    if asked.desk:
        desk_pictures()
        return
    demo = contextlib.nullcontext((asked.ui, asked.report)) if asked.ui else running_demo()
    with demo as (ui, report), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(FLAGS)
        )
        for scheme, scroll in SCENES.items():
            page = page_of(browser, scheme)
            page.goto(report.as_uri())
            page.evaluate(f"window.scrollTo(0, {scroll})")
            page.screenshot(path=IMAGES / f"report-{scheme}.png")
        page = page_of(browser, "dark")
        run, contract = (latest(ui, flow) for flow in ("trading-orchestrator", "analyze-symbol"))
        shoot(page, f"{ui}/runs/flow-run/{run}", "ui-run", "text=Finished in state")
        shoot(page, f"{ui}/runs/flow-run/{contract}", "ui-contract", "text=Finished in state")
        artifact = f"{ui}/artifacts/artifact/{summary(ui)}"
        shoot(page, artifact, "ui-portfolio", "img[src^=data]", from_there=True)


def desk_pictures() -> None:
    """Make those of the desk."""
    with running_desk() as desk, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(FLAGS)
        )
        for name, path, scheme, width in DESK_SCENES:
            page = page_of(browser, scheme)
            page.set_viewport_size({"width": width, "height": 860})
            page.goto(f"{desk}{path}")
            page.locator("#feed[data-state=live]").wait_for()
            page.wait_for_timeout(SETTLE_MS)
            page.screenshot(path=IMAGES / f"desk-{name}.png")


@contextlib.contextmanager
def running_desk() -> Iterator[str]:
    """The address of a desk on a seeded database and a small lake, while the block lasts."""
    from database.schema import upgrade_schema  # noqa: PLC0415 - for these pictures alone
    from servers.postgres.local import local_postgres  # noqa: PLC0415 - as above
    from tests.api.desk import seed, small_lake  # noqa: PLC0415 - as above
    from tests.api.desk.server import desk_server  # noqa: PLC0415 - as above

    with (
        tempfile.TemporaryDirectory() as folder,
        local_postgres(Path(folder, "postgres")) as postgres,
    ):
        upgrade_schema(postgres.url)
        seed.fill(postgres.url)
        small_lake.fill_lake(f"{folder}/lake")
        with desk_server(postgres.url, f"{folder}/lake") as address:
            yield address


@contextlib.contextmanager
def running_demo() -> Iterator[tuple[str, Path]]:
    """A demo that has run: its UI, while the block lasts, and its report."""
    with tempfile.TemporaryDirectory() as folder:
        words = [
            "demo",
            "--make-sample",
            "--serve",
            "--port",
            "0",
            "--server-dir",
            f"{folder}/server",
        ]
        words += ["--input-dir", f"{folder}/input", "--output-dir", f"{folder}/output"]
        command = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-c", "from cli.app import main; main()", *words],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            said = ""
            for line in command.stderr or ():
                said += line
                if found := re.match(r"Prefect UI, until Ctrl-C: (\S+)", line):
                    yield found[1], Path(folder, "output", "_portfolio", "report.html")
                    return
            raise SystemExit(f"The demo ended with exit code {command.wait()}:\n{said}")
        finally:
            command.send_signal(signal.SIGINT)
            command.communicate()


def latest(ui: str, flow: str) -> str:
    """The last run of a flow."""
    wanted = {"flows": {"name": {"any_": [flow]}}, "sort": "START_TIME_DESC", "limit": 1}
    return found(ui, "flow_runs", wanted)


def summary(ui: str) -> str:
    """The artifact with the portfolio's charts."""
    return found(
        ui,
        "artifacts",
        {"artifacts": {"key": {"any_": ["portfolio-summary"]}}, "sort": "CREATED_DESC"},
    )


def found(ui: str, kind: str, wanted: object) -> str:
    """The first of a kind that the server finds."""
    request = Request(  # noqa: S310 - the demo's own server
        f"{ui}/api/{kind}/filter",
        json.dumps(wanted).encode(),
        {"Content-Type": "application/json"},
    )
    with urlopen(request) as answer:  # noqa: S310 - as above
        return str(json.load(answer)[0]["id"])


def page_of(browser: Browser, scheme: Literal["light", "dark"]) -> Page:
    """A page that may ask nobody but this machine."""
    page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme=scheme)
    page.set_default_timeout(WAIT_MS)
    page.route(
        lambda asked: not re.match(r"(file|data|http://127\.0\.0\.1)", asked),
        lambda route: route.abort(),
    )
    return page


def shoot(page: Page, url: str, name: str, ready: str, *, from_there: bool = False) -> None:
    """Take one picture of a page of the UI, once it shows what `ready` selects."""
    page.goto(url)
    page.locator(ready).first.wait_for()
    if from_there:
        page.locator(ready).first.evaluate("shown => shown.scrollIntoView()")
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
