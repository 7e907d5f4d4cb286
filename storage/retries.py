"""Says in the log, in one sentence, that something failed and will be tried again."""

from __future__ import annotations

import logging

import stamina.instrumentation

from storage.errors import MAX_SHOWN, StorageError

_logger = logging.getLogger(__name__)


def log_retry(details: stamina.instrumentation.RetryDetails) -> None:
    """Log a retry that stamina has scheduled, instead of its bare `stamina.retry_scheduled`.

    The arguments of what is tried again are left out: they may be a whole file's content.
    """
    _logger.warning(
        "%s; attempt %d follows in %.1f s.",
        _reason(details.caused_by),
        details.retry_num + 1,
        details.wait_for,
    )


def _reason(error: Exception) -> str:
    if isinstance(error, StorageError):
        return f"{error.url}: {error.problem}"  # what the user can do is told when it is given up
    first_line = next(iter(str(error).splitlines()), "") or type(error).__name__
    return first_line[: 2 * MAX_SHOWN].rstrip(".")


stamina.instrumentation.set_on_retry_hooks([log_retry])
