"""The settings of this installation, for commands."""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING

from pydantic import ValidationError

from cli.prefect_settings import loading_prefect
from cli.unknown_variables import warn_of_unknown_variables
from servers.connection import named_api_url
from servers.errors import USAGE, CommandError
from storage.directory import open_directory
from trading.errors import ParameterError, shown

if TYPE_CHECKING:
    from flows.boundary.settings import Settings
    from storage.directory import Directory


def installation() -> Settings:
    """The `TRADING_` settings; loads Prefect, so call it once the environment names its server.

    Raises:
        CommandError: A variable of ours or a setting of Prefect's has a value that cannot be used.
    """
    named_api_url()
    with loading_prefect():
        import fanout  # noqa: F401, PLC0415 - loads Prefect and reads its settings
        import flows.boundary.settings  # noqa: F401, PLC0415 - Ctrl-C waits for this, too

    return settings_in_force()


def settings_before_a_server() -> Settings | None:
    """The settings, to look at what a command names before a Prefect server is there.

    None where the credentials for it are in a block of that server.

    Raises:
        CommandError: A setting, or the address of that server, has a value that cannot be used.
    """
    named_api_url()
    found = settings_in_force()
    return None if found.aws_credentials_block else found


def settings_in_force() -> Settings:
    """The `TRADING_` settings for who needs no Prefect, as processes of the live side do not.

    Raises:
        CommandError: A setting has a value that cannot be used.
    """
    from flows.boundary.settings import settings  # noqa: PLC0415 - --help stays quick

    try:
        found = settings()
    except ValidationError as error:
        raise CommandError(_unusable(error), USAGE) from None
    warn_of_unknown_variables()
    return found


def _unusable(error: ValidationError) -> str:
    """The sentence about a setting that cannot be used, and where it is to be corrected."""
    from flows.boundary.settings import Settings, settings_file  # noqa: PLC0415 - loads Prefect

    first = error.errors()[0]
    name, *fields = map(str, first["loc"])
    why = ": ".join([*fields[-1:], first["msg"].removeprefix("Value error, ")])
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, Settings.model_fields, n=1)
        why = "there is no such setting" + (f"; {near[0]} is one" if near else "")
    variable = f"TRADING_{name}".upper()
    secret = "SecretStr" in str(getattr(Settings.model_fields.get(name), "annotation", ""))
    value = "" if secret else f"={shown(first['input'])}"
    if variable in {known.upper() for known in os.environ}:
        return f"{variable}{value} cannot be used ({why}); correct the variable or unset it."
    return (
        f"{name}{value} in {settings_file()} cannot be used ({why}); correct the line or remove it."
    )


def job_environment() -> dict[str, str]:
    """What the jobs of a worker on this machine are told beside its environment."""
    from flows.boundary.settings import PROJECT_DIR, project_root  # noqa: PLC0415 - loads Prefect
    from flows.runs.commands import SHELL_PATH  # noqa: PLC0415 - loads Prefect

    here = installation()
    return {
        # Where the user's own shell looks for programs: printed commands are meant for it.
        SHELL_PATH: os.environ.get(SHELL_PATH) or os.environ.get("PATH", os.defpath),
        # Jobs run in folders of their own: what is relative for this command is so for them.
        PROJECT_DIR: os.environ.get(PROJECT_DIR) or str(project_root()),
        "TRADING_INPUT_DIR": here.input_dir,
        "TRADING_OUTPUT_DIR": here.output_dir,
        "TRADING_LAKE_DIR": here.lake_dir,
    }


def existing_lake(named: str | None, otherwise: str) -> str:
    """The lake that a command reads, absolute.

    Args:
        named: What the user named; it must be there, since a slip would look like an empty lake.
        otherwise: The settings' lake, which need not be there yet.

    Raises:
        ParameterError: What the user named is not usable, or not there.
        StorageError: It cannot be looked at.
    """
    place = absolute(named or otherwise, "lake_dir")
    if named:
        check_there(
            open_directory(place, "lake_dir"),
            named,
            "a lake",
            "fill it first with trading lake ingest",
        )
    return place


def check_there(directory: Directory, named: str, what: str, otherwise: str) -> None:
    """Refuse a place to read from that the user named and that is not there.

    Args:
        directory: The place.
        named: What the user wrote.
        what: What it should be, e.g. `a lake`.
        otherwise: What else to do than to correct it.

    Raises:
        ParameterError: It is not there.
        StorageError: It cannot be looked at.
    """
    if not directory.exists():
        raise ParameterError(
            directory.parameter, named, f"{what} that is there", f"correct it, or {otherwise}"
        )


def absolute(url: str, parameter: str) -> str:
    """A location as a process in another working directory names it.

    Args:
        url: A path or fsspec URL, with a slash at its end or without.
        parameter: What the user calls it.

    Raises:
        ParameterError: It is not usable.
    """
    directory = open_directory(url, parameter)
    return directory.path if directory.is_local else directory.url
