"""What the Dockerfile and the .dockerignore say, read as text."""

from __future__ import annotations

import subprocess
import sysconfig
import tomllib
from pathlib import Path

from tests.image import dockerfile
from tests.image.conftest import PROJECT

TEXT = (PROJECT / "Dockerfile").read_text()
STAGES = dockerfile.stages(TEXT)


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    done = subprocess.run(
        [hadolint, "--no-fail", PROJECT / "Dockerfile"], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""


def test_every_base_is_a_version_or_a_stage() -> None:
    names = {stage.name for stage in STAGES}
    bases = [stage.base for stage in STAGES if stage.base not in names]
    assert set(bases) == {"python:3.11-slim"}


def test_the_base_is_a_python_that_the_project_supports() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"].startswith(">=3.11")
    assert "ARG PYTHON_VERSION=3.11\n" in TEXT


def test_what_is_installed_is_locked_and_without_development_tools() -> None:
    syncs = [
        instruction.text
        for stage in STAGES
        for instruction in stage.instructions
        if "uv sync" in instruction.text
    ]
    assert len(syncs) == 2
    for sync in syncs:
        assert {"--locked", "--no-dev", "--no-editable"} <= set(sync.split())


def test_the_lock_is_copied_before_the_sources() -> None:
    first = STAGES[0].instructions
    copies = [dockerfile.copied(item).sources for item in first if item.word == "COPY"]
    assert copies == [["pyproject.toml", "uv.lock"]]


def test_the_context_holds_what_the_build_copies_and_nothing_else() -> None:
    files = {path.as_posix() for path in dockerfile.context_files(PROJECT)}
    assert {"pyproject.toml", "uv.lock", "cli/app.py", "input/generate_hourly_data.py"} <= files
    tops = {name.split("/")[0] for name in files}
    copied = {
        source
        for stage in STAGES
        for instruction in stage.instructions
        if instruction.word == "COPY"
        for source in dockerfile.copied(instruction).sources
        if not dockerfile.copied(instruction).stage
    }
    assert tops == copied
    assert not [name for name in files if name.endswith((".pyc", ".parquet"))]


def test_dockerignore_rules_are_read_as_engines_read_them(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("*\n!src\n!data/keep.txt\n**/__pycache__\n")
    for name in ("src/a.py", "src/deep/__pycache__/a.pyc", "data/keep.txt", "data/no.txt", "b.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.as_posix() for path in dockerfile.context_files(tmp_path)]
    assert found == ["data/keep.txt", "src/a.py"]
