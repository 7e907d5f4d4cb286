"""The bundled Postgres: a first start, later ones, and what it refuses."""

from __future__ import annotations

import signal
import tarfile
from pathlib import Path

import pytest

from servers.cluster_postgres import SOCKET_FOLDER, Settings, prepare_folder
from servers.errors import CommandError
from tests.image.build import Root
from tests.image.container import Container, Surroundings, running

pytestmark = pytest.mark.slow

COMMAND = ["python", "-m", "servers.cluster_postgres", "-c", "max_connections=50"]
ACTIVE = (
    "psql -X -At -h /tmp -U postgres -c "
    "\"SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'\""
)
READY = ["pg_isready", "-q", "-h", "127.0.0.1", "-U", "prefect", "-d", "prefect"]


def _settings(password: str) -> dict[str, str]:
    return {"PGDATA": "/data/postgres", "POSTGRES_PASSWORD": password}


def _query(server: Container, sql: str, password: str, *options: str) -> str:
    psql = ["psql", "-X", "-At", "-h", "127.0.0.1", "-U", "prefect", "-d", "prefect"]
    told = server.execute([*psql, *options, "-c", sql], PGPASSWORD=password)
    return (told.stdout if told.returncode == 0 else told.stderr).strip()


def test_it_keeps_its_data_over_stops_and_kills_and_takes_a_new_password(
    image: Root, tmp_path: Path
) -> None:
    volume, log = tmp_path / "volume", tmp_path / "log"
    volume.mkdir()
    with running(
        image, COMMAND, log, env=_settings("it's a 'first' one"), surroundings=Surroundings(volume)
    ) as first:
        first.wait_for(READY)
        made = "CREATE EXTENSION pg_trgm; CREATE TABLE kept AS SELECT 42 AS answer"
        assert "CREATE" in _query(first, made, "it's a 'first' one")
        assert "password authentication failed" in _query(first, "SELECT 1", "wrong")
        assert "fe_sendauth: no password" in _query(first, "SELECT 1", "", "-w")
        assert "permission denied" in _query(first, "CREATE ROLE other", "it's a 'first' one")
        assert _query(first, "SHOW max_connections", "it's a 'first' one") == "50"
        refused = first.execute(
            ["psql", "-X", "-h", "127.0.0.1", "-U", "postgres", "-c", "SELECT 1"]
        )
        assert "no pg_hba.conf entry" in refused.stderr
        # An open connection must not hold the end up.
        sleeping = "psql -h /tmp -U postgres -c 'SELECT pg_sleep(600)' >/tmp/sleeping 2>&1 &"
        first.execute(["sh", "-c", sleeping])
        first.wait_for(["sh", "-c", f"{ACTIVE} | grep -q 1"])
        assert first.stop() == 0
    # As a volume comes back that is mounted again with an fsGroup.
    (volume / "postgres").chmod(0o2770)
    with running(
        image, COMMAND, log, env=_settings("second"), surroundings=Surroundings(volume)
    ) as second:
        second.wait_for(READY)
        assert _query(second, "SELECT answer FROM kept", "second") == "42"
        assert "failed" in _query(second, "SELECT 1", "it's a 'first' one")
        _query(second, "INSERT INTO kept VALUES (43)", "second")
        second.stop(signal.SIGKILL)
    with running(
        image, COMMAND, log, env=_settings("second"), surroundings=Surroundings(volume)
    ) as third:
        third.wait_for(READY)
        assert _query(third, "SELECT sum(answer) FROM kept", "second") == "85"
        dump = third.execute(["pg_dump", f"--host={SOCKET_FOLDER}", "-U", "postgres", "prefect"])
        assert "CREATE TABLE public.kept" in dump.stdout
    told = log.read_text()
    assert "first" not in told
    assert "not properly shut down" in told


def test_an_interrupted_first_start_is_repeated(tmp_path: Path) -> None:
    left = tmp_path / ".postgres.unfinished"
    left.mkdir()
    (left / "PG_VERSION").write_text("18\n")
    data = tmp_path / "postgres"
    prepare_folder(data, _template(tmp_path, "18"))
    assert not left.exists()
    assert (data / "PG_VERSION").read_text() == "18\n"
    assert data.stat().st_mode & 0o777 == 0o700
    assert "host prefect prefect all scram-sha-256" in (data / "pg_hba.conf").read_text()


def test_another_major_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    prepare_folder(data, _template(tmp_path, "18"))
    with pytest.raises(CommandError, match=r"holds a database of Postgres 18.* has Postgres 19"):
        prepare_folder(data, _template(tmp_path, "19"))
    assert (data / "PG_VERSION").read_text() == "18\n"


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "volume"
    (data / "lost+found").mkdir(parents=True)
    with pytest.raises(CommandError, match=r"is not empty \(lost\+found\)"):
        prepare_folder(data, _template(tmp_path, "18"))


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({}, "PGDATA"),
        ({"PGDATA": "relative"}, "PGDATA='relative'"),
        ({"PGDATA": "/data/postgres"}, "POSTGRES_PASSWORD"),
        ({"PGDATA": "/data/postgres", "POSTGRES_PASSWORD": ""}, "POSTGRES_PASSWORD"),
    ],
)
def test_a_missing_setting_is_named(environment: dict[str, str], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        Settings.of(environment)


def _template(folder: Path, version: str) -> Path:
    content = folder / f"template-{version}"
    content.mkdir()
    (content / "PG_VERSION").write_text(f"{version}\n")
    archive = folder / f"template-{version}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(content, arcname=".")
    return archive
