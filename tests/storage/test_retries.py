from __future__ import annotations

import logging

import pytest
import stamina

from storage import retries as retry_log
from storage.errors import StorageError


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            StorageError("s3://b/x", "the store does not answer", "run again", transient=True),
            "s3://b/x: the store does not answer; attempt 2 follows in 0.0 s.",
        ),
        (OSError("refused.\nand more"), "refused; attempt 2 follows in 0.0 s."),
        (TimeoutError(), "TimeoutError; attempt 2 follows in 0.0 s."),
    ],
)
def test_a_retry_is_one_sentence_without_what_was_passed(
    error: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not by `caplog`: what other libraries configure in this process may keep it from seeing them.
    logger = logging.getLogger("a fresh one")
    records: list[logging.LogRecord] = []
    monkeypatch.setattr(logger, "handle", records.append)
    monkeypatch.setattr(retry_log, "_logger", logger)
    answers = [error, None]

    def call(content: bytes) -> None:
        if answer := answers.pop(0):
            raise answer

    stamina.RetryingCaller(attempts=2).on(Exception)(call, b"all of a file")
    (record,) = records
    assert (record.levelno, record.getMessage()) == (logging.WARNING, sentence)
    assert "all of a file" not in str(record.__dict__)
