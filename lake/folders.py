"""The folders of the lake, whose names are sources, strategies, intervals and symbols."""

from __future__ import annotations

from storage.directory import Directory


def folders_in(directory: Directory, folder: str) -> list[str]:
    """Names of the folders directly in a folder of the lake, sorted; none when it is missing.

    Raises:
        StorageError: The folder cannot be listed.
    """
    return directory.list_folders(folder)


LIVE = "live"
"""The source of bronze that live bars are kept as: what nobody names is taken of the others."""


def sources_of_bronze(directory: Directory) -> list[str]:
    """The sources that bronze has, without live bars: another source replaces these.

    Raises:
        StorageError: The lake cannot be listed.
    """
    return [source for source in folders_in(directory, "bronze") if source != LIVE]
