"""The objects of a cluster, every change of them, and those who watch."""

from __future__ import annotations

import asyncio
import copy
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

Manifest = dict[str, Any]
Matches = Callable[[Mapping[str, str]], bool]

PARTS = {"jobs": ("batch/v1", "Job"), "pods": ("v1", "Pod")}


def now() -> str:
    """The time as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def selector(text: str) -> Matches:
    """What a label selector selects; equality and presence are all that the worker uses."""
    wanted: dict[str, str | None] = {}
    for part in filter(None, text.split(",")):
        if any(sign in part for sign in ("!", " in ", " notin ", "(", ">", "<")):
            msg = f"unknown label selector {text!r}"
            raise ValueError(msg)
        key, equals, value = part.partition("=")
        wanted[key] = value.removeprefix("=") if equals else None

    def matches(labels: Mapping[str, str]) -> bool:
        return all(key in labels and value in {None, labels[key]} for key, value in wanted.items())

    return matches


@dataclass
class Objects:
    """Jobs and pods by their names, with the API's versions.

    Attributes:
        history: Every event, as a watch shows it, with its kind.
    """

    history: list[tuple[str, Manifest]] = field(default_factory=list)
    _current: dict[tuple[str, str], Manifest] = field(default_factory=dict)
    _version: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def version(self) -> str:
        return str(self._version)

    def create(self, kind: str, manifest: Manifest) -> Manifest:
        """Store a new object under the name it brings, or one made from `generateName`."""
        made = copy.deepcopy(manifest)
        meta = made["metadata"]
        meta.setdefault("name", f"{meta.get('generateName', '')}{secrets.token_hex(3)[:5]}")
        if (kind, meta["name"]) in self._current:
            raise KeyError(meta["name"])
        made["apiVersion"], made["kind"] = PARTS[kind]
        meta |= {"uid": str(uuid4()), "creationTimestamp": now()}
        made.setdefault("status", {})
        self._current[kind, meta["name"]] = made
        return self._changed(kind, "ADDED", made)

    def update(self, kind: str, name: str, **parts: Manifest) -> Manifest:
        """Replace keys of an object's `status`, `metadata` or `spec`."""
        made = self._current[kind, name]
        for part, values in parts.items():
            made[part] = {**made[part], **values}
        return self._changed(kind, "MODIFIED", made)

    def delete(self, kind: str, name: str) -> None:
        self._changed(kind, "DELETED", self._current.pop((kind, name)))

    def get(self, kind: str, name: str) -> Manifest | None:
        found = self._current.get((kind, name))
        return copy.deepcopy(found)

    def list(self, kind: str, matches: Matches) -> list[Manifest]:
        return [
            copy.deepcopy(manifest)
            for (of, _), manifest in self._current.items()
            if of == kind and matches(manifest["metadata"].get("labels", {}))
        ]

    async def watch(self, kind: str, matches: Matches, since: int) -> AsyncIterator[Manifest]:
        """All events after a version, those to come included."""
        position = since
        while True:
            news = self._news
            for of, event in self.history[position:]:
                if of == kind and matches(event["object"]["metadata"].get("labels", {})):
                    yield event
            # Each event has the next version.
            position = len(self.history)
            if news is self._news:
                await news.wait()

    def _changed(self, kind: str, event: str, manifest: Manifest) -> Manifest:
        self._version += 1
        manifest["metadata"]["resourceVersion"] = self.version
        shown = copy.deepcopy(manifest)
        self.history.append((kind, {"type": event, "object": shown}))
        news, self._news = self._news, asyncio.Event()
        news.set()
        return copy.deepcopy(shown)
