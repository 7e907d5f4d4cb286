from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from typer.main import get_command

from cli.app import app
from cli.exit_codes import exit_codes
from servers.errors import FAILED, USAGE, CommandError
from tests.cli.conftest import Run, Start, assert_all_end
from tests.waiting import wait_until
from trading.errors import DataError, ParameterError


def test_help_lists_the_commands_and_loads_no_prefect() -> None:
    code = (
        "import sys\nfrom cli.app import main\ntry: main()\nfinally: "
        "print([m for m in ('prefect', 'pyarrow', 'numpy', 'rich') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.endswith("[]\n")
    assert re.search(r"^  demo ", done.stdout, re.MULTILINE)
    assert re.search(r"^  up ", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("command", ["demo", "up", "status", "redo", "report", "prune"])
def test_each_commands_help_has_examples_that_its_options_know(run: Run, command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    examples = re.findall(rf"^ +trading {command}(.*)$", done.stdout, re.MULTILINE)
    assert len(examples) >= 2
    listed = set(re.findall(r"^  (--[a-z-]+)", done.stdout, re.MULTILINE))
    assert {word for line in examples for word in re.findall(r"--[a-z-]+", line)} <= listed
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("demo", "--grain", "week"),
        ("demo", "--job-per", "contract"),
        ("demo", "--port", "65536"),
        ("demo", "--no-such-option"),
        ("demo", "--contracts", "0"),
        ("demo", "--contracts", "AAPL,,MSFT"),
        ("up", "--port", "-1"),
        ("down",),
    ],
)
def test_wrong_usage_exits_2_names_the_value_and_starts_nothing(
    run: Run, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = run(*arguments)
    assert done.returncode == USAGE
    assert arguments[-1] in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not any(path.is_file() for path in tmp_path.rglob("*") if path.suffix != ".lock")


@pytest.mark.parametrize("command", ["demo", "up"])
def test_a_taken_port_is_one_sentence(run: Run, tmp_path: Path, command: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
        done = run(command, "--port", port)
    assert done.returncode == USAGE
    sentence = done.stderr.splitlines()[-1]
    assert port in sentence
    assert "--port" in sentence
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "input").exists()
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize("command", ["demo", "up"])
def test_an_unreachable_server_is_one_sentence_without_its_password(
    run: Run, tmp_path: Path, command: str
) -> None:
    done = run(command, PREFECT_API_URL="http://me:secret@127.0.0.1:1/api")
    assert done.returncode == FAILED
    sentence = done.stderr.splitlines()[-1]
    assert "PREFECT_API_URL=http://127.0.0.1:1/api does not answer" in sentence
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_with_json_an_error_is_one_object_too(run: Run) -> None:
    done = run("demo", "--json", PREFECT_API_URL="http://127.0.0.1:1/api")
    answer = json.loads(done.stdout)
    assert answer["status"] == "error"
    assert answer["message"] == done.stderr.splitlines()[-1]


def test_a_setting_that_cannot_be_used_is_one_sentence(run: Run, prefect_server: str) -> None:
    done = run("demo", PREFECT_API_URL=prefect_server, TRADING_JOB_PER="contract")
    assert done.returncode == USAGE
    assert done.stderr.splitlines()[-1].startswith("TRADING_JOB_PER='contract' cannot be used")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_command_says_so_and_leaves_no_process(
    start: Start, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    command = start("demo", "--port", "0", "--json")
    children = psutil.Process(command.pid).children
    wait_until(children, "the server's process is there")
    server = children()
    command.send_signal(number)
    stdout, stderr = command.communicate(timeout=60)
    assert command.returncode == code
    assert "Stopped" in stderr
    assert "Traceback" not in stderr
    assert json.loads(stdout)["status"] == "interrupted"
    assert_all_end(server)


def test_a_killed_command_leaves_no_process(start: Start) -> None:
    command = start("up", "--port", "0")
    children = psutil.Process(command.pid).children
    wait_until(children, "the server's process is there")
    server = children()
    command.kill()
    assert_all_end(server)


@pytest.mark.slow
def test_a_second_command_is_told_of_the_first(start: Start, run: Run, tmp_path: Path) -> None:
    lock = tmp_path / "server" / "server.lock"
    first = start("up", "--port", "0")
    wait_until(lambda: lock.exists() and lock.read_text(), "the first holds the lock")
    second = run("demo", "--port", "0")
    assert second.returncode == USAGE
    assert f"process {first.pid}" in second.stderr
    assert "PREFECT_API_URL=http://127.0.0.1:" in second.stderr
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CommandError("Sentence."), FAILED),
        (CommandError("Sentence.", USAGE), USAGE),
        (ParameterError("grain", "week", "a grain", "pass bar"), USAGE),
        (DataError("vix.parquet", "is empty", "fetch it again"), FAILED),
    ],
)
def test_expected_errors_end_with_their_message_and_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    from typer import Exit  # noqa: PLC0415 - only here

    with pytest.raises(Exit) as caught, exit_codes(as_json=True):
        raise error
    printed = capsys.readouterr()
    assert caught.value.exit_code == code
    assert printed.err == f"{error}\n"
    assert json.loads(printed.out) == {"status": "error", "message": str(error)}


def test_an_unexpected_error_keeps_its_trace() -> None:
    with pytest.raises(ZeroDivisionError), exit_codes():
        1 / 0  # noqa: B018 - a bug


def test_every_option_of_every_command_has_a_help_text() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined] # a group
    assert commands
    for name, command in commands.items():
        assert [option.name for option in command.params if not option.help] == [], name


def test_the_shell_completes_commands_and_options() -> None:
    asked = {"COMP_WORDS": "trading redo --on", "COMP_CWORD": "2"}
    done = subprocess.run(
        [Path(sys.executable).parent / "trading"],
        env=os.environ | asked | {"_TRADING_COMPLETE": "complete_bash"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["--only"]
