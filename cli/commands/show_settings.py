"""`trading settings`: what is in force, and where each value is from."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer
import yaml
from pydantic import BaseModel, SecretStr

from cli.pipeline.query import as_json
from cli.settings import installation

if TYPE_CHECKING:
    from flows.boundary.settings import Settings

MASK = "**********"
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        name: As in the settings file.
        value: Fit for printing; a secret is masked.
        origin: A variable, the file or `default`.
        description: What it is for.
    """

    name: str
    value: str
    origin: str
    description: str


def run_settings(*, as_object: bool) -> None:
    """Print every setting, its value and where it is from.

    Raises:
        CommandError: A value cannot be used.
    """
    from flows.boundary.settings import settings_file  # noqa: PLC0415 - loads Prefect

    found = in_force(installation())
    path = settings_file()
    if as_object:
        fields = {s.name: {"value": s.value, "from": s.origin} for s in found}
        typer.echo(as_json({"file": str(path), "file_exists": path.is_file(), "settings": fields}))
        return
    there = "" if path.is_file() else ", which does not exist"
    typer.echo(f"Settings file  {path}{there}; TRADING_ variables win.\n")
    name, value = (max(len(getattr(s, part)) for s in found) for part in ("name", "value"))
    for s in found:
        typer.echo(f"{s.name:<{name}}  {s.value:<{min(value, 48)}}  {s.origin}")


def in_force(settings: Settings) -> list[Setting]:
    """All settings, in the order of the class."""
    from flows.boundary.settings import settings_file  # noqa: PLC0415 - loads Prefect

    path = settings_file()
    written = yaml.safe_load(path.read_text()) if path.is_file() else None
    known = {name.upper() for name in os.environ}
    found = []
    for name, field in type(settings).model_fields.items():
        variable = f"TRADING_{name}".upper()
        in_file = isinstance(written, dict) and name in written
        origin = variable if variable in known else str(path) if in_file else DEFAULT
        value = _shown(getattr(settings, name))
        found.append(Setting(name, value, origin, field.description or ""))
    return found


def _shown(value: Any) -> str:  # noqa: ANN401 - any setting's
    if value is None:
        return "unset"
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, BaseModel):
        # As the setting is written; what has no value is left out, unless it has one by default.
        fields = type(value).model_fields
        told = {name: one for name, one in value.model_dump(mode="json").items()
                if one is not None or fields[name].default is not None}  # fmt: skip
        return json.dumps(told)
    if isinstance(value, dict):
        return " ".join(f"{name}={MASK}" for name in value) or "unset"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
