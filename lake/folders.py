"""The folders of the lake, whose names are sources, strategies, intervals and symbols."""

from __future__ import annotations

from storage.directory import Directory, open_directory
from storage.location import below


def folders_in(directory: Directory, folder: str) -> list[str]:
    """Names of the folders directly in a folder of the lake, sorted; none when it is missing.

    Raises:
        StorageError: The folder cannot be listed.
    """
    location = directory.path if directory.is_local else directory.url
    return open_directory(below(location, folder), directory.parameter).list_folders()
