"""Reads the instructions of a Dockerfile, and the files that a build of it is given.

Strict: an instruction, a flag or a form that it does not know is an error, so that a test never
runs something else than an engine would.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a stage: `RUN`, `COPY` and so on, and what follows it."""

    word: str
    text: str


@dataclass(slots=True)
class Stage:
    """What one `FROM` begins."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Copy:
    """A `COPY`: from another stage, or from the build's context."""

    stage: str | None
    sources: Sequence[str]
    target: str


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile, with the `ARG`s before the first one put into their bases."""
    found: list[Stage] = []
    arguments: dict[str, str] = {}
    for instruction in _instructions(text):
        if instruction.word == "FROM":
            base, *name = instruction.text.split()
            found.append(Stage(expanded(base, arguments), name[1] if name else ""))
        elif found:
            found[-1].instructions.append(instruction)
        else:
            assert instruction.word == "ARG", instruction
            arguments |= pairs(instruction)
    return found


def pairs(instruction: Instruction) -> dict[str, str]:
    """The names and values of an `ENV`, `ARG` or `LABEL`."""
    parts = (part.partition("=") for part in shlex.split(instruction.text))
    values: dict[str, str] = {}
    for name, sign, value in parts:
        assert sign, f"{instruction} gives {name} no value"
        values[name] = value
    return values


def copied(instruction: Instruction) -> Copy:
    """What a `COPY` copies."""
    words = instruction.text.split()
    stage = words.pop(0).removeprefix("--from=") if words[0].startswith("--from=") else None
    assert not words[0].startswith("-"), f"{instruction} has a flag that is not known"
    *sources, target = words
    return Copy(stage, sources, target)


def command(instruction: Instruction) -> list[str]:
    """The command of a `CMD` in its exec form."""
    words = json.loads(instruction.text)
    assert isinstance(words, list), instruction
    return [str(word) for word in words]


def expanded(text: str, values: Mapping[str, str]) -> str:
    """The text with its variables replaced; one without a value is an error."""
    return _VARIABLE.sub(lambda match: values[match[1] or match[2]], text)


def _instructions(text: str) -> Iterator[Instruction]:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    whole = "\n".join(lines).replace("\\\n", " ")
    for line in filter(str.strip, whole.splitlines()):
        word, _, rest = line.partition(" ")
        known = {"ARG", "CMD", "COPY", "ENV", "FROM", "LABEL", "RUN", "USER", "WORKDIR"}
        assert word in known, f"{line!r}: not an instruction that this reader knows"
        assert "<<" not in rest, f"{line!r}: here-documents are not read"
        yield Instruction(word, " ".join(rest.split()) if word != "RUN" else rest.strip())


def context_files(root: Path) -> list[Path]:
    """The files below `root`, relative to it, that its `.dockerignore` lets into a build."""
    lines = (root / ".dockerignore").read_text().splitlines()
    rules = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return sorted(_let_in(root, root, [_Rule.of(rule) for rule in rules]))


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    text: str
    lets_in: bool

    @classmethod
    def of(cls, line: str) -> _Rule:
        text = line.removeprefix("!").strip("/")
        pattern = re.escape(text).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
        # A rule for a folder is one for all that is in it.
        return cls(re.compile(rf"{pattern}(?:/.*)?"), text, line.startswith("!"))


def _let_in(root: Path, folder: Path, rules: Sequence[_Rule]) -> Iterator[Path]:
    for path in folder.iterdir():
        name = path.relative_to(root).as_posix()
        last = [rule for rule in rules if rule.pattern.fullmatch(name)]
        lets_in = not last or last[-1].lets_in
        exceptions = any(rule.lets_in and rule.text.startswith(f"{name}/") for rule in rules)
        if path.is_dir() and (lets_in or exceptions):
            yield from _let_in(root, path, rules)
        elif lets_in:
            yield path.relative_to(root)
