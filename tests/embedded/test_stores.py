"""The embedded stores themselves: they answer, they are where they should be, they leave nothing behind."""

from __future__ import annotations

import psycopg2
import redis


def test_a_fresh_database_is_empty_and_ones_own(empty_database: str) -> None:
    """What one test creates is in its own database, which starts without tables."""
    connection = psycopg2.connect(empty_database)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert cursor.fetchone() == (0,)
    connection.close()


def test_redis_answers(redis_url: str) -> None:
    """The URL given to clients works with redis-py."""
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping() is True
