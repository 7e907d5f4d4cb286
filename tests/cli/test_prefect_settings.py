"""Settings that Prefect cannot use end each command with one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from servers.errors import USAGE
from tests.cli.conftest import Run

TIMEOUT = "PREFECT_API_REQUEST_TIMEOUT='soon' cannot be used (Input should be a valid number"

COMMANDS = [
    ("demo", "--port", "0"),
    ("up", "--port", "0"),
    ("status",),
    ("redo", "--port", "0"),
    ("report",),
    ("prepare-storage",),
    ("register",),
]


def sentence(run: Run, *command: str, **environment: str) -> str:
    """What the command says of a setting, which is all it says but what it does at first."""
    done = run(*command, **environment)
    assert done.returncode == USAGE, done.stderr
    assert done.stdout == ""
    *before, last = done.stderr.splitlines()
    assert all(line.startswith("Starting") for line in before), done.stderr
    return last


@pytest.mark.parametrize("command", [c for c in COMMANDS if c[0] in {"demo", "status", "register"}])
def test_a_setting_that_prefect_refuses_is_one_sentence(run: Run, command: tuple[str, ...]) -> None:
    """One that starts a server, one that loads Prefect with the settings, one before them."""
    said = sentence(run, *command, PREFECT_API_REQUEST_TIMEOUT="soon")
    assert said.startswith(TIMEOUT)
    assert said.endswith("; correct the variable or unset it.")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_malformed_url_is_one_sentence_of_each_command(
    run: Run, command: tuple[str, ...]
) -> None:
    said = sentence(run, *command, PREFECT_API_URL="http://127.0.0.1:port/api")
    assert said.startswith("PREFECT_API_URL='http://127.0.0.1:port/api' is not the URL of")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("PREFECT_LOGGING_LEVEL", "LOUD", "PREFECT_LOGGING_LEVEL='LOUD' cannot be used (Input"),
        ("PREFECT_CLIENT_CUSTOM_HEADERS", '{"a": secret', 'for field "custom_headers"'),
    ],
)
def test_the_variable_is_named(run: Run, variable: str, value: str, said: str) -> None:
    told = sentence(run, "status", **{variable: value})
    assert said in told
    assert "secret" not in told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (".env", "PREFECT_API_REQUEST_TIMEOUT=soon", TIMEOUT),
        ("prefect.toml", "[api", "prefect.toml: invalid TOML"),
        ("home/profiles.toml", 'active = "cloud', "profiles.toml, Prefect's profiles, is no valid"),
        (".env", "PREFECT_API_URL=http://[half", "Prefect's settings cannot be used (Value error"),
    ],
)
def test_a_file_with_a_setting_that_prefect_refuses_is_one_sentence(
    run: Run, tmp_path: Path, file: str, text: str, said: str
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / file).write_text(text)
    told = sentence(run, "status", PREFECT_HOME=str(tmp_path / "home"))
    assert said in told
    assert "profile" in told
    assert "the variable" not in told
