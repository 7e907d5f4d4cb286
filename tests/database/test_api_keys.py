"""When the use of a key is noted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from database.api.keys import ApiKey, is_use_due

NOW = datetime(2024, 1, 2, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds_ago", "due"), [(None, True), (0, False), (59, False), (60, True), (-1, True)]
)
def test_a_use_is_noted_once_a_minute_also_when_the_clocks_differ(
    seconds_ago: int | None, *, due: bool
) -> None:
    last = None if seconds_ago is None else NOW - timedelta(seconds=seconds_ago)
    key = ApiKey(
        id="a1", name="desk", role="reader", secret_hash=b"", created_at=NOW, created_by="test",
        last_used_at=last, revoked_at=None,
    )  # fmt: skip
    assert is_use_due(key, NOW) is due
