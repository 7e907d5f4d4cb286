"""Loading Prefect, which reads its settings from many places and wants all of them to be right."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tomllib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cli.stop_signals import interrupt_held
from servers.errors import USAGE, CommandError
from trading.errors import shown

if TYPE_CHECKING:
    from pydantic import ValidationError

_MAY_BE_SECRET = ("KEY", "PASSWORD", "SECRET", "AUTH", "TOKEN", "HEADERS", "URL")
"""Parts of the names of settings whose value does not belong into a message."""

_FILES = ".env, prefect.toml, pyproject.toml or Prefect's profile"
_PLACES = f"in the environment, {_FILES}"


@contextlib.contextmanager
def loading_prefect() -> Iterator[None]:
    """A block of imports, the first of which loads Prefect; Ctrl-C waits for its end.

    Raises:
        CommandError: A setting of Prefect's cannot be used.
    """
    from pydantic import ValidationError  # noqa: PLC0415 - --help stays quick
    from pydantic_settings.exceptions import SettingsError  # noqa: PLC0415 - as above

    said = io.StringIO()
    try:
        # Of a setting that it cannot use Prefect speaks on its own account as well.
        with interrupt_held(), contextlib.redirect_stderr(said):
            yield
    except ValidationError as error:
        raise CommandError(_unusable(error), USAGE) from None
    except tomllib.TOMLDecodeError as error:
        raise CommandError(_broken_profiles(error), USAGE) from None
    except SettingsError as error:
        raise CommandError(
            f"Prefect's settings cannot be read ({error}); correct what is set {_PLACES}.", USAGE
        ) from None
    sys.stderr.write(said.getvalue())


def _unusable(error: ValidationError) -> str:
    """The sentence about a value that Prefect refuses."""
    first = error.errors()[0]
    if not first["loc"]:
        return f"Prefect's settings cannot be used ({first['msg']}); correct what is set {_PLACES}."
    variable = _variable(error.title, str(first["loc"][0]))
    hidden = any(part in variable for part in _MAY_BE_SECRET)
    value = variable if hidden else f"{variable}={shown(first['input'])}"
    why = "" if hidden else f" ({first['msg']})"
    where = "the variable or unset it" if variable in os.environ else f"what is set in {_FILES}"
    return f"{value} cannot be used{why}; correct {where}."


def _variable(settings: str, field: str) -> str:
    """The environment variable of a field of one of Prefect's classes of settings."""
    from pydantic_settings import BaseSettings  # noqa: PLC0415 - --help stays quick

    def below(parent: type[BaseSettings]) -> Iterator[type[BaseSettings]]:
        for child in parent.__subclasses__():
            yield child
            yield from below(child)

    found = (c for c in below(BaseSettings) if c.__name__ == settings and "prefect" in c.__module__)
    prefix = next((c.model_config.get("env_prefix", "") for c in found), "PREFECT_")
    # An alias is a whole name.
    return (field if field.lower().startswith("prefect_") else f"{prefix}{field}").upper()


def _broken_profiles(error: tomllib.TOMLDecodeError) -> str:
    from prefect.settings import Settings  # noqa: PLC0415 - loads Prefect

    with contextlib.redirect_stderr(io.StringIO()):  # it warns of the same file again
        path = Settings().profiles_path
    return f"{path}, Prefect's profiles, is no valid TOML ({error}); correct or remove the file."
