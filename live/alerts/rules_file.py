"""The file of alert rules: a YAML list under `rules`."""

from __future__ import annotations

from pathlib import Path

import yaml

from trading.alerts.rules import AlertRule, alert_rule
from trading.errors import DataError


def rules_in(path: Path) -> list[AlertRule]:
    """The rules of a file.

    Raises:
        DataError: The file cannot be read, or is no list of rules.
        ParameterError: One of them is no rule.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        words = " ".join(str(error).split())[:160]
        raise DataError(str(path), f"is no YAML that can be read ({words})", "correct it") from None
    found = content.get("rules") if isinstance(content, dict) else None
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        next_step = "write `rules:` and below it a list of rules, each with name and kind"
        raise DataError(str(path), "has no list of rules", next_step)
    rules = [alert_rule(entry) for entry in found]
    names = [rule.name for rule in rules]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(str(path), f"names {', '.join(twice)} twice", "rename one of them")
    return rules
