"""`TRADING_` variables that nothing reads: most of them are slips, and would count for nothing."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Mapping
from functools import cache

import typer

_PREFIX = "TRADING_"

_READ_ELSEWHERE = frozenset(
    {
        # by commands, and what they start
        "SETTINGS_FILE", "PROJECT_DIR", "SERVER_DIR", "SHELL_PATH",
        "LOG_DIR", "METRICS_PORT", "METRICS_HOST",
        # by compose.yaml
        "STREAM", "CLOCK", "SYMBOLS",
        # by the notebook of the API
        "API_URL", "API_KEY",
    }
)  # fmt: skip
"""`TRADING_` variables that are no settings, without the prefix."""

_OF_SERVICE = re.compile(
    r"SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?"
)
"""What Kubernetes tells its containers of each service, behind the service's name."""


@cache
def warn_of_unknown_variables() -> None:
    """Say once in a process which variables mean nothing: most of them are slips."""
    for warning in unknown_variables(os.environ):
        typer.echo(warning, err=True)


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """A sentence about each `TRADING_` variable that nothing reads.

    Args:
        environment: Variables by name. What Kubernetes adds for a service is passed over.
    """
    from flows.boundary.settings import Settings  # noqa: PLC0415 - --help stays quick

    names = {name.upper() for name in environment}
    services = [
        name.removesuffix("SERVICE_HOST") for name in names if name.endswith("_SERVICE_HOST")
    ]
    of_services = {
        name
        for name in names
        for service in services
        if name.startswith(service) and _OF_SERVICE.fullmatch(name.removeprefix(service))
    }
    known = {f"{_PREFIX}{name}".upper() for name in (*Settings.model_fields, *_READ_ELSEWHERE)}
    return [
        _not_read(name, known)
        for name in sorted(names - known - of_services)
        if name.startswith(_PREFIX)
    ]


def _not_read(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    meant = f"{near[0]} is one" if near else "trading settings lists those that there are"
    return f"{name} is no setting and counts for nothing; {meant}."
