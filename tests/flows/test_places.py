"""A run's folders are the project's, whatever folder its worker starts it in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.market_data.synthetic import SyntheticSource
from flows import ingest_market_data_flow
from flows.boundary.parameters import input_url, output_url
from flows.boundary.settings import PROJECT_DIR, below_project, project_root
from tests.flows.conftest import STRATEGY, Pipeline
from tests.markets import Market
from trading.errors import ParameterError

WORK = {"contract": "AAPL", "grain": "session", "strategy": STRATEGY}


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder in which a worker starts a run; the project is elsewhere."""
    project, folder = tmp_path / "project", tmp_path / "job"
    project.mkdir()
    folder.mkdir()
    monkeypatch.setattr("flows.boundary.settings._project", lambda: project)
    monkeypatch.chdir(folder)
    yield folder
    assert list(folder.iterdir()) == [], "the worker removes it with what is in it"


async def test_every_deployment_takes_relative_folders_as_below_the_project(
    pipeline: Pipeline, small_market: Market, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = job.parent / "project"
    small_market.write(project / "in")
    folders = {"input_dir": "in", "output_dir": "my-results"}
    places = (str(project / "in"), str(project / "my-results"))

    async def shown(deployment: str, parameters: dict[str, Any]) -> str:
        """What the run's artifacts say, and its log."""
        ended = await pipeline.run(deployment, parameters)
        assert ended.state.is_completed(), ended.message
        found = await pipeline.artifacts(ended.id)
        return json.dumps(list(found.values())) + await pipeline.log(ended.id)

    files = [project / "my-results" / f"{c}/20240102.parquet" for c in ("AAPL", "BRK-B")]
    leaf = {"timestamp": "2024-01-02T09:30:00-05:00", **WORK, **folders}
    said = await shown("analyze-time-partition/analyze-time-partition", leaf)
    assert str(files[0]) in said
    files[0].unlink()
    said = await shown("analyze-symbol/analyze-symbol", {**WORK, **folders})
    assert all(place in said for place in places)
    asked = {"grain": "session", "strategy": STRATEGY, "num_contracts": 2, "job_per": "run"}
    said = await shown("trading-orchestrator/orchestrator", {**asked, **folders})
    assert all(place in said for place in places)
    assert all(file.is_file() for file in files)
    said = await shown("aggregate-portfolio/aggregate-portfolio", folders)
    assert all(place in said for place in places)
    assert places[0] in await shown("validate-data/validate-data", {"input_dir": "in"})

    monkeypatch.setattr(ingest_market_data_flow, "_source", lambda *_: SyntheticSource())
    fetched = {"symbols": ["AAPL"], "start_date": "2024-01-02", "end_date": "2024-01-03"}
    said = await shown("ingest-market-data/ingest-market-data", {**fetched, "input_dir": "fresh"})
    assert str(project / "fresh") in said
    assert (project / "fresh" / "ingestion.json").is_file()


@pytest.mark.parametrize(
    ("location", "below"),
    [
        ("my-results", "my-results"),
        ("./a/../b/", "b"),
        ("file://my-results", "my-results"),
        ("local://my-results", "my-results"),
    ],
)
def test_a_relative_folder_is_made_absolute(location: str, below: str, job: Path) -> None:
    assert below_project(location) == str(job.parent / "project" / below)
    assert output_url(location) == input_url(location) == below_project(location)


@pytest.mark.parametrize("location", ["/data/x", "s3://bucket/x", "memory://x", "~/x"])
def test_another_place_is_as_it_was_named(location: str) -> None:
    assert output_url(location) == location


def test_a_place_that_would_go_with_the_job_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker of an installation without a checkout executes each run in a folder it removes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("flows.boundary.settings.__file__", str(tmp_path / "flows" / "settings.py"))
    monkeypatch.setattr("sys.prefix", str(tmp_path / "lib" / "venv"))
    assert project_root() == Path(output_url("my-results")).parent == tmp_path, "a shell's folder"
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "1")
    with pytest.raises(ParameterError, match=f"output_dir='my-results' .*{PROJECT_DIR}"):
        output_url("my-results")
    assert output_url("/data/x") == "/data/x"
    monkeypatch.setenv(PROJECT_DIR, str(tmp_path / "home"))
    assert output_url("my-results") == str(tmp_path / "home" / "my-results")


def test_the_image_knows_its_project_from_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the package is installed, and `prefect.yaml` lies beside the virtual environment."""
    monkeypatch.setattr(
        "flows.boundary.settings.__file__", str(tmp_path / "lib" / "flows" / "settings.py")
    )
    monkeypatch.setattr("sys.prefix", str(tmp_path / "app" / ".venv"))
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "prefect.yaml").touch()
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "1")
    assert output_url("my-results") == str(tmp_path / "app" / "my-results")
