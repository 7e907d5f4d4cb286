"""What a command says when an extra that it needs is not installed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from servers.errors import USAGE, CommandError


@contextlib.contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Say how to get an extra when an import of the block finds that it is missing.

    Raises:
        CommandError: It is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise CommandError(
            f"This command needs {error.name}; install the extra with uv sync --extra {extra}.",
            USAGE,
        ) from None
