"""The documents name files, commands and options that exist, and hold code that runs."""

from __future__ import annotations

import re

import pytest
from typer.main import get_command

from cli.app import app
from flows.settings import project_root

DOCUMENTS = (
    "CONTRIBUTING.md", "docs/how-it-works.md", "docs/analysis.md", "docs/extending.md",
    "docs/scaling.md",
)  # fmt: skip
ROOMS = ("trading", "fanout", "flows", "cli", "charts", "k8s", "benchmarks", "docs", "tests")
FILE = re.compile(rf"`((?:{'|'.join(ROOMS)})/[\w/.-]*|[\w.-]+\.(?:yaml|md))`")


def text_of(document: str) -> str:
    return (project_root() / document).read_text()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_names_or_links_to_exists(document: str) -> None:
    text = text_of(document)
    below = (project_root() / document).parent
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    named = FILE.findall(text)
    assert links or named
    places = [below / link for link in links] + [project_root() / name for name in named]

    assert [str(place) for place in places if not place.exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_python_block_runs(document: str) -> None:
    for block in re.findall(r"^```python\n(.*?)^```", text_of(document), re.MULTILINE | re.DOTALL):
        exec(compile(block, document, "exec"), {"__name__": "documented"})  # noqa: S102 - our own


@pytest.mark.parametrize("document", [*DOCUMENTS, "CHANGELOG.md", "README.md"])
def test_every_command_and_option_is_one_of_the_command_lines(document: str) -> None:
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
    from trading.results import FLOAT_COLUMNS  # noqa: PLC0415 - only here

    table = text_of("docs/analysis.md").partition("## Of each bar")[2].partition("\n## ")[0]
    explained = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert explained == {*FLOAT_COLUMNS, "signal"} - {"price", "vix", "spx"}


def test_there_are_pictures_small_enough_for_a_page() -> None:
    pictures = sorted((project_root() / "docs" / "images").glob("*.png"))
    assert pictures
    assert {p.name: p.stat().st_size for p in pictures if p.stat().st_size >= 200_000} == {}
