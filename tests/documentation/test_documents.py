"""The documents name files, commands and options that exist, and hold code that runs."""

from __future__ import annotations

import re

import pytest
from typer.main import get_command

from cli.app import app
from flows.boundary.settings import project_root
from tests.documentation.commands import DOCUMENTS, fences, text_of

ROOT = project_root()
ROOMS = ("trading", "fanout", "flows", "cli", "charts", "k8s", "benchmarks", "docs", "tests")
FILE = re.compile(rf"`((?:{'|'.join(ROOMS)})/[\w/.-]*|[\w.-]+\.(?:yaml|md))`")


def links(document: str) -> list[str]:
    """The files that a document links to."""
    return [link for link in re.findall(r"\]\(([^)#]+)", text_of(document)) if "://" not in link]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_names_or_links_to_exists(document: str) -> None:
    below = (project_root() / document).parent
    assert [link for link in links(document) if not (below / link).exists()] == []
    named = FILE.findall(re.sub(r"\[[^]]*\]\(", "](", text_of(document)))
    missing = [n for n in named if not any((folder / n).exists() for folder in (below, ROOT))]
    assert missing == []


def test_links_are_found() -> None:
    assert "docs/reliability.md" in links("README.md")
    assert "../charts/trading-fanout/UPGRADING.md" in links("k8s/README.md")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_python_block_runs(document: str) -> None:
    for language, block in fences(document):
        if language == "python":
            exec(compile(block, document, "exec"), {"__name__": "documented"})  # noqa: S102 - ours


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_block_says_what_it_is(document: str) -> None:
    """A block without a language would be looked at by no test."""
    assert {language for language, _ in fences(document)} <= {"sh", "python", "text"}


@pytest.mark.parametrize("document", [*DOCUMENTS, "CHANGELOG.md"])
def test_every_option_in_the_text_is_one_of_the_command_lines(document: str) -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined] # a group
    called = re.findall(
        r"(?:^|[\s`(])trading ([a-z][a-z-]*)([^`\n]*)", text_of(document), re.MULTILINE
    )
    known = [(name, rest) for name, rest in called if name in commands]
    assert known or document != "README.md"
    for name, rest in known:
        options = {"--help"} | {option for p in commands[name].params for option in p.opts}
        assert set(re.findall(r"(?<!\S)--[a-z0-9-]+", rest)) <= options, f"trading {name}{rest}"


def test_the_columns_that_are_explained_are_those_of_the_results() -> None:
    from lake.market.results import FLOAT_COLUMNS  # noqa: PLC0415 - only here

    table = text_of("docs/analysis.md").partition("## Of each bar")[2].partition("\n## ")[0]
    explained = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert explained == {*FLOAT_COLUMNS, "signal"} - {"price", "vix", "spx"}


def test_there_are_pictures_small_enough_for_a_page() -> None:
    pictures = sorted((ROOT / "docs" / "images").glob("*.png"))
    assert pictures
    assert {p.name: p.stat().st_size for p in pictures if p.stat().st_size >= 200_000} == {}
