"""The lake's files of one series, and which of them the database holds as they are."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from lake.files import stored_metadata
from lake.grain import Grain
from lake.listing import files_in
from lake.stretch import Stretch
from storage.backends import FileIdentity
from storage.directory import Directory
from trading.instruments.clock import NEW_YORK, midnight

_KNOWN = 200_000
"""Files whose moment of writing is remembered."""


@dataclass(frozen=True, slots=True)
class LakeFile:
    """A file of a series.

    Attributes:
        stretch: The time that it covers.
        name: Where it is, relative to the lake.
        identity: What tells this version from others.
    """

    stretch: Stretch
    name: str
    identity: FileIdentity

    @property
    def version(self) -> str:
        """Names the file as it is now."""
        return f"{self.name}:{self.identity.size}:{self.identity.version}"


def files_of(directory: Directory, folder: str) -> list[LakeFile]:
    """The files of a series, in order of time; a month's stands for those of its sessions.

    Raises:
        StorageError: The folder cannot be listed.
    """
    found = {
        Stretch.of_file(name): LakeFile(Stretch.of_file(name), f"{folder}/{name}", identity)
        for name, identity in files_in(directory, folder).items()
    }
    return [
        found[stretch]
        for stretch in sorted(found)
        if stretch.grain is not Grain.SESSION
        or Stretch.around(stretch.first, Grain.MONTH) not in found
    ]


def between(
    files: Iterable[LakeFile], start: datetime | None, end: datetime | None
) -> list[LakeFile]:
    """Those of the files that may have bars in [start, end)."""
    low, high = new_york_date(start), new_york_date(end)
    return [file for file in files if file.stretch.overlaps(low, high)]


def new_york_date(moment: datetime | None) -> date | None:
    """The date of a moment in New York."""
    return None if moment is None else moment.astimezone(NEW_YORK).date()


def bounds(stretch: Stretch) -> tuple[datetime, datetime]:
    """The moments from which, and before which, a stretch has bars."""
    first, after = stretch.first, stretch.last + timedelta(days=1)
    start, end = map(midnight, (first, after))
    return start.astimezone(UTC), end.astimezone(UTC)


class WritingTimes:
    """When files were written, by what they say themselves; read once of each version."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, datetime | None] = OrderedDict()
        self._guard = threading.Lock()

    def of(
        self, directory: Directory, files: Iterable[LakeFile], dataset: str, symbol: str
    ) -> dict[LakeFile, datetime | None]:
        """The moment of each file; None of one that does not say.

        Raises:
            StorageError: A file cannot be read.
        """
        files = list(files)
        with self._guard:
            found = {file: self._known.get(self._key(directory, file), ...) for file in files}
        unknown = [file for file, moment in found.items() if moment is ...]

        def look(name: str) -> datetime | None:
            said = stored_metadata(directory, name, dataset, symbol).get("written_at")
            return None if said is None else datetime.fromisoformat(said)

        moments = directory.map(look, [file.name for file in unknown])
        with self._guard:
            for file, moment in zip(unknown, moments, strict=True):
                found[file] = self._known[self._key(directory, file)] = moment
            while len(self._known) > _KNOWN:
                self._known.popitem(last=False)
        return {file: None if moment is ... else moment for file, moment in found.items()}

    @staticmethod
    def _key(directory: Directory, file: LakeFile) -> str:
        return f"{directory.url}/{file.version}"
