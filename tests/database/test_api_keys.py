"""What a key may be called, and when its use is noted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from database.api.keys import ApiKey, create_key, is_use_due, list_keys
from database.connection import Database
from trading.errors import ParameterError

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


@pytest.mark.parametrize("name", ["a b", "", " ", "-rf", "a\n", "a;b", "x" * 65])
def test_a_name_that_no_command_could_take_makes_no_key(database: Database, name: str) -> None:
    with pytest.raises(ParameterError, match="is not 1 to 64 of"):
        create_key(database, name, "reader", "test")
    assert list_keys(database) == []
