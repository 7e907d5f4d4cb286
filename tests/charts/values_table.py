"""The table of values in the chart's README, made from the comments of values.yaml.

`python -m tests.charts.values_table` writes it; a test fails when it is not up to date.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import yaml

from tests.charts.rendering import CHART

_BEGIN, _END = "<!-- values: begin -->", "<!-- values: end -->"
_KEY = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z]\w*):")


@dataclass(frozen=True, slots=True)
class Documented:
    """One value that the README explains.

    Attributes:
        path: Dotted path from the top of values.yaml.
        default: What values.yaml sets it to.
        description: What the comment above it says.
    """

    path: str
    default: Any
    description: str


def documented_values() -> list[Documented]:
    """The values whose comment starts with `--`, in their order in values.yaml."""
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    found: list[Documented] = []
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            comment = [stripped.removeprefix("# -- ")]
        elif stripped.startswith("#") and comment:
            comment.append(stripped.removeprefix("# "))
        elif match := _KEY.match(line):
            path[len(match["indent"]) // 2 :] = [match["key"]]
            if comment:
                found.append(Documented(".".join(path), _at(values, path), " ".join(comment)))
            comment = []
    return found


def leaves(values: dict[str, Any], prefix: str = "") -> list[str]:
    """The dotted paths of everything in values.yaml that is not a map with content."""
    paths: list[str] = []
    for key, value in values.items():
        inner = isinstance(value, dict) and bool(value)
        paths += leaves(value, f"{prefix}{key}.") if inner else [f"{prefix}{key}"]
    return paths


def readme() -> str:
    """The README with the table as it should be."""
    text = (CHART / "README.md").read_text()
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{_table()}\n{_END}{after}"


def _at(values: dict[str, Any], path: list[str]) -> Any:
    for key in path:
        values = values[key]
    return values


def _table() -> str:
    rows = [
        f"| `{value.path}` | `{json.dumps(value.default)}` | {value.description} |"
        for value in documented_values()
    ]
    return "\n".join(["| value | default | what it does |", "|---|---|---|", *rows])


if __name__ == "__main__":
    (CHART / "README.md").write_text(readme())
