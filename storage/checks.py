"""Looks at a directory before work depends on it: does it answer, is it there, may we write.

What is refused here is told in one sentence before anything was submitted or written.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import replace

from storage.directory import Directory, open_directory
from storage.errors import LocationError, StorageError


def check_reachable(url: str, parameter: str) -> None:
    """Make sure that the place answers and lets us in; whether anything is there is all the same.

    For the first look: an outage is reported after seconds, since a location that never answered
    more often is mistyped than about to come back. Nothing is written, nor asked of this machine.

    Raises:
        LocationError: It is not a usable URL.
        StorageError: It cannot be reached, or refuses.
    """
    directory = open_directory(url, parameter)
    if not directory.is_local:
        replace(directory, fail_fast=True).exists()


def check_readable(directory: Directory, parameter: str) -> None:
    """Make sure that the directory is there and can be listed, before work depends on it.

    Raises:
        LocationError: It is not there.
        StorageError: It cannot be listed.
    """
    if not directory.exists():
        raise LocationError(
            parameter,
            directory.url,
            "an existing directory",
            "check the spelling, or have trading demo --make-sample make sample data there",
        )
    directory.list_files("")


def check_writable(directory: Directory, parameter: str) -> None:
    """Make sure that files can be written, by writing a hidden one and removing it.

    A local directory that is not there yet is not made: what counts is where it would be.

    Raises:
        LocationError: They cannot; the message says why.
        StorageError: The place failed in a way that may pass.
    """
    name = f".probe-{os.getpid()}-{secrets.token_hex(4)}"
    probed = _nearest(directory) if directory.is_local else directory
    try:
        probed.write_bytes(name, b"")
        probed.remove(name)
    except StorageError as error:
        if error.transient:
            raise
        raise LocationError(
            parameter,
            directory.url,
            "a directory that can be written to",
            f"{error.next_step} ({error.problem})",
        ) from error


def _nearest(directory: Directory) -> Directory:
    """The local directory, or of those that it would be made in the first that is there."""
    path = directory.path
    while not os.path.lexists(path):
        path = os.path.dirname(path)  # noqa: PTH120 - Path has no lexists
    return replace(directory, url=path, path=path)
