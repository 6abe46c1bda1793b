"""The throw-away cluster gives what its users rely on."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import create_engine, text


def test_every_request_is_a_new_database(postgres_database: Callable[[], str]) -> None:
    seen = set()
    for _ in range(2):
        url = postgres_database()
        engine = create_engine(url)
        with engine.begin() as connection:
            assert connection.execute(text("SELECT count(*) FROM accounts")).scalar_one() == 0
            connection.execute(text("CREATE TABLE here (value text)"))
            seen.add(connection.execute(text("SELECT current_database()")).scalar_one())
            encoding, lower = connection.execute(text("SELECT getdatabaseencoding(), lower('ÄÉ')")).one()
        engine.dispose()
        assert (encoding, lower) == ("UTF8", "äé")
    assert len(seen) == 2
