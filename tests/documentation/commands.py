"""The documents, and the shell commands that they ask their reader to run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from flows.boundary.settings import project_root

DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    *sorted(f"docs/{file.name}" for file in (project_root() / "docs").glob("*.md")),
    "k8s/README.md",
    "charts/trading-fanout/README.md",
    "charts/trading-fanout/UPGRADING.md",
)

FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

_PROGRAMS = ("uv", "trading", "prefect", "pytest", "python", "helm", "kubectl", "docker", "kind")
_MENTION_WORDS = 3
"""A span of no more words may only speak of a command; a longer one is to be typed."""


@dataclass(frozen=True, slots=True)
class DocumentedCommand:
    """One command as a document prints it.

    Attributes:
        document: Where it stands, below the project's root.
        words: What the shell makes of it, without redirections.
    """

    document: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.document}: {shlex.join(self.words)}"


def text_of(document: str) -> str:
    """A document, whole."""
    return (project_root() / document).read_text()


def fences(document: str) -> list[tuple[str, str]]:
    """The fenced blocks of a document: language and text."""
    return FENCE.findall(text_of(document))


def documented_commands() -> list[DocumentedCommand]:
    """Every command of every shell block, and those that stand in the text."""
    return [
        DocumentedCommand(document, words)
        for document in DOCUMENTS
        for line in (*_shell_lines(document), *_inline(document))
        for words in _split(line)
    ]


def _shell_lines(document: str) -> Iterator[str]:
    for language, text in fences(document):
        if language == "sh":
            yield from text.replace("\\\n", " ").splitlines()


def _inline(document: str) -> Iterator[str]:
    for span in re.findall(r"`([^`]+)`", FENCE.sub("", text_of(document))):
        words = span.split()
        if words[:1] and words[0] in _PROGRAMS and len(words) > _MENTION_WORDS:
            yield " ".join(words)


def _split(line: str) -> Iterator[tuple[str, ...]]:
    """The commands of a line, as the shell would start them."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|<>")
    lexer.whitespace_split = True
    words: list[str] = []
    redirected = False
    for word in lexer:
        if word in ("&&", "|"):
            yield tuple(words)
            words = []
        elif word in ("<", ">"):
            redirected = True
        elif redirected:
            redirected = False
        else:
            words.append(word)
    yield tuple(words)
