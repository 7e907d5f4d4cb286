from __future__ import annotations

import html
import json
import re
import shlex
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from servers.errors import FAILED
from tests.cli.results import SmallResults, small_results


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallResults:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    return small_results(tmp_path)


def test_the_report_is_made_from_results_and_opened(
    results: SmallResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def browser(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr("webbrowser.open", browser)
    done = results.command("report", "--open", "--cost-bps", "2.5")
    assert done.exit_code == 0, done.output
    page = Path(done.stdout.strip())
    assert page == results.output / "_portfolio" / "report.html"
    assert opened == [page.as_uri()]
    text = page.read_text()
    assert "Portfolio of 2 contracts" in text
    assert "aggregated with cost_bps=2.5" in text

    again = json.loads(results.command("report", "--json").stdout)
    assert again == {"report": str(page), "contracts": 2, "bars": 16, "notes": []}
    stored = pq.read_table(results.output / "_portfolio" / "portfolio.parquet").to_pylist()[0]
    assert stored["cost_bps"] == 2.5, "the cost of the stored portfolio is kept"


def test_partitions_are_measured_against_the_input_that_is_named(results: SmallResults) -> None:
    results.market.with_price(8, 1, 70.0).write(results.input)
    (results.output / "AAPL" / "20240102.parquet").unlink()
    done = results.command("report")
    assert done.exit_code == 0, done.output
    text = Path(done.stdout.strip()).read_text()
    assert f"Measured against {results.input}, by session." in text
    printed = re.findall(r"<dt>Make this page again</dt><dd><pre>(.*?)</pre>", text)
    words = shlex.split(html.unescape(*printed))
    assert words[words.index("report") :] == [
        "report", "--output-dir", str(results.output), "--input-dir", str(results.input),
        "--grain", "session",
    ]  # fmt: skip
    legend = text.partition("<h2>Partitions</h2>")[2].partition("</section>")[0]
    shown = {name for name in ("failed", "missing", "stale", "done") if f"</i>{name}<" in legend}
    assert shown == {"missing", "stale", "done"}


def test_the_report_warns_of_data_that_are_odd(results: SmallResults) -> None:
    results.market.prices[8:, 0] /= 4
    results.market.write(results.input)
    done = results.command("report")
    text = Path(done.stdout.strip()).read_text()
    assert "<h2>Validation: WARN</h2>" in text
    assert "AAPL at 2024-01-03T14:30:00Z: it jumps overnight like an unadjusted split 4" in text


def test_without_results_there_is_no_report(results: SmallResults, tmp_path: Path) -> None:
    empty = SmallResults(results.market, results.input, tmp_path / "empty")
    done = empty.command("report")
    assert done.exit_code == FAILED
    assert str(tmp_path / "empty") in done.stderr
    assert not (tmp_path / "empty" / "_portfolio").exists()


def test_where_no_browser_can_be_opened_the_report_is_there(
    results: SmallResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    done = results.command("report", "--open")
    assert done.exit_code == FAILED
    assert "no browser" in done.stderr
    assert Path(done.stdout.strip()).is_file()
