"""The documents name files, commands and options that exist, and hold code that runs."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from typer.main import get_command

from cli.app import app
from flows.boundary.settings import project_root
from tests.documentation.commands import DOCUMENTS, fences, text_of
from trading.alerts.rules import alert_rule

ROOT = project_root()
ROOMS = (
    "storage", "trading", "adapters", "lake", "fanout", "flows", "servers", "cli",
    "charts", "k8s", "input", "benchmarks", "docs", "tests",
)  # fmt: skip
FILE = re.compile(rf"`((?:{'|'.join(ROOMS)})/[\w/.-]*|[\w.-]+\.(?:yaml|md))`")

PYTHON_BLOCKS = [
    (document, block)
    for document in DOCUMENTS
    for language, block in fences(document)
    if language == "python" and document != "docs/lake.md"
]
"""Document and text of each block of Python in the documents; those of lake.md want its lake, and
the notebooks do the same on one."""

KNOWN_LANGUAGES = {"sh", "python", "text", "yaml", "json"}

USERS_OWN = {"alerts.yaml", "trading.yaml", ".env"}
"""Files that a user may write, and that are not there until then."""

COMMANDS = get_command(app).commands  # type: ignore[attr-defined] # a group

_MENTION = re.compile(r"(?:^|[\s`(])trading ([a-z][a-z-]*)([^`\n]*)", re.MULTILINE)
MENTIONS = [
    (document, command, rest)
    for document in (*DOCUMENTS, "CHANGELOG.md")
    for command, rest in _MENTION.findall(text_of(document))
    if command in COMMANDS
]
"""Document, command and the rest of its line, wherever a document speaks of `trading COMMAND`."""


def options_of(command: str, rest: str) -> list[Any]:
    """The parameters of a command, or of the one of a group that the rest of the line names."""
    found, words = COMMANDS[command], rest.split()
    while words and words[0] in getattr(found, "commands", {}):
        found = found.commands[words.pop(0)]
    return list(found.params)


def links(document: str) -> list[str]:
    """The files that a document links to."""
    return [link for link in re.findall(r"\]\(([^)#]+)", text_of(document)) if "://" not in link]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_names_or_links_to_exists(document: str) -> None:
    below = (project_root() / document).parent
    assert [link for link in links(document) if not (below / link).exists()] == []
    named = FILE.findall(re.sub(r"\[[^]]*\]\(", "](", text_of(document)))
    missing = [
        n
        for n in named
        if n not in USERS_OWN and not any((folder / n).exists() for folder in (below, ROOT))
    ]
    assert missing == []


def test_links_are_found() -> None:
    assert "docs/reliability.md" in links("README.md")
    assert "../charts/trading-fanout/UPGRADING.md" in links("k8s/README.md")


@pytest.mark.parametrize(("document", "block"), PYTHON_BLOCKS)
def test_every_python_block_runs(document: str, block: str) -> None:
    exec(compile(block, document, "exec"), {"__name__": "documented"})  # noqa: S102 - ours


def test_a_source_and_a_flow_are_shown_as_code_that_runs() -> None:
    assert [document for document, _ in PYTHON_BLOCKS].count("docs/extending.md") >= 2


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_block_says_what_it_is(document: str) -> None:
    """A block without a language would be looked at by no test."""
    assert {language for language, _ in fences(document)} <= KNOWN_LANGUAGES


def test_every_yaml_block_holds_alert_rules() -> None:
    blocks = [t for d in DOCUMENTS for language, t in fences(d) if language == "yaml"]
    assert blocks
    for block in blocks:
        assert [alert_rule(rule) for rule in yaml.safe_load(block)["rules"]]


@pytest.mark.parametrize(("document", "command", "rest"), MENTIONS)
def test_every_option_in_the_text_is_one_of_the_command_lines(
    document: str, command: str, rest: str
) -> None:
    known = {"--help"} | {option for p in options_of(command, rest) for option in p.opts}
    assert set(re.findall(r"(?<!\S)--[a-z0-9-]+", rest)) <= known, document


def test_mentions_of_commands_are_found_in_the_text_and_in_code() -> None:
    assert {command for document, command, _ in MENTIONS if document == "README.md"} > {"demo"}
    assert ("CHANGELOG.md", "report", "") in MENTIONS


def test_every_command_is_explained() -> None:
    table = text_of("docs/usage.md").partition("## The command `trading`")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `trading ([a-z-]+)` \|", table, re.MULTILINE) == list(COMMANDS)


def test_the_readme_is_short() -> None:
    assert len(text_of("README.md").splitlines()) < 150


def test_every_setting_is_explained() -> None:
    from flows.boundary.settings import Settings  # noqa: PLC0415 - only here

    table = text_of("docs/usage.md").partition("## Settings")[2]
    explained = set(re.findall(r"^\| `TRADING_(\w+)` \|", table, re.MULTILINE))
    elsewhere = {"SERVER_DIR", "PROJECT_DIR"}  # read before the settings, or by commands alone
    assert explained == {name.upper() for name in Settings.model_fields} | elsewhere


def test_the_columns_that_are_explained_are_those_of_the_results() -> None:
    from lake.market.results import FLOAT_COLUMNS  # noqa: PLC0415 - only here

    table = text_of("docs/analysis.md").partition("## Of each bar")[2].partition("\n## ")[0]
    explained = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert explained == {*FLOAT_COLUMNS, "signal"} - {"price", "vix", "spx"}


def test_there_are_pictures_small_enough_for_a_page() -> None:
    pictures = sorted((ROOT / "docs" / "images").glob("*.png"))
    assert pictures
    assert {p.name: p.stat().st_size for p in pictures if p.stat().st_size >= 200_000} == {}
