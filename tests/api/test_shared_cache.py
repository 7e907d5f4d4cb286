"""Kept answers and counts in a real Valkey: shared by processes, and missed by nobody when gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from redis import Redis

from api.cache import MOST_SECONDS, RedisCache
from api.limits import WINDOW_SECONDS, RedisWindow
from api.services import Services
from cli.commands.api import REDIS_SECONDS
from database.api.pool import DatabasePool
from servers.valkey import local_valkey
from tests.api.conftest import served
from tests.api.shared_valkey import killed_at_the_end


def client(url: str) -> Redis:
    return Redis.from_url(url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    with local_valkey(tmp_path / "valkey") as server:
        yield client(server.url)


def test_what_one_process_keeps_another_finds_until_it_expires(redis: Redis) -> None:
    content = bytes(range(256))
    RedisCache(redis).put("k", content)
    assert RedisCache(redis).get("k") == content
    assert RedisCache(redis).get("other") is None
    (key,) = redis.keys()
    assert 0 < redis.ttl(key) <= MOST_SECONDS


def test_processes_count_together_and_each_key_by_itself(redis: Redis) -> None:
    first, second = RedisWindow(redis), RedisWindow(redis)
    found = [window.count("a")[0] for window in (first, second, first, second)]
    # The minute of the clock may have ended between two of them. Windows apart say 1, 1, 2, 2.
    assert found in ([1, 2, 3, 4], [1, 1, 2, 3], [1, 2, 1, 2], [1, 2, 3, 1])
    assert second.count("b")[0] == 1
    assert 0 < first.count("a")[1] <= WINDOW_SECONDS
    assert all(0 < redis.ttl(key) <= 2 * WINDOW_SECONDS for key in redis.scan_iter())


def test_two_apis_answer_with_what_one_has_read_and_without_valkey_by_themselves(
    seeded_url: str, stored_lake: Path, tmp_path: Path
) -> None:
    with killed_at_the_end(tmp_path / "valkey") as server:
        shared = [_services(seeded_url, stored_lake, server.url) for _ in range(2)]
        with served(shared[0]) as one, served(shared[1]) as two:
            first = httpx.get(f"{one}/v1/bars/AAPL?interval=5m&limit=3")
            redis = client(server.url)
            (key,) = [key for key in redis.scan_iter() if b"answer" in key]
            # What the other API finds there is what it sends.
            kept = redis.get(key)
            assert isinstance(kept, bytes)
            redis.set(key, kept.replace(b'"source":"silver"', b'"source":"marked"'))
            second = httpx.get(f"{two}/v1/bars/AAPL?interval=5m&limit=3")
            assert "marked" in second.text
            assert second.headers["ETag"] == first.headers["ETag"]
    gone = _services(seeded_url, stored_lake, server.url)
    with served(gone) as url:
        answer = httpx.get(f"{url}/v1/bars/AAPL?interval=5m&limit=3")
        assert answer.json()["data"] == first.json()["data"]


def _services(url: str, lake: Path, bus: str) -> Services:
    redis = client(bus)
    return Services(
        database=DatabasePool(url), lake_dir=str(lake), keys_needed=False,
        cache=RedisCache(redis), window=RedisWindow(redis),
    )  # fmt: skip
