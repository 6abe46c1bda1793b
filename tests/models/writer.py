"""A process that writes to the catalogue in a loop: ``python -m tests.models.writer URL NAME TIMES``."""

from __future__ import annotations

import sys

from sqlalchemy import create_engine, select

from repo_service.models import Account
from repo_service.models.database import Database, engine_options


def main(url: str, name: str, times: int) -> None:
    """Each transaction reads before it writes, which a deferred one cannot do beside another writer."""
    database = Database(create_engine(url, **engine_options(url)))
    for number in range(times):
        with database.write() as session:
            seen = session.scalars(select(Account.quota).order_by(Account.quota.desc()).limit(1)).first() or 0
            session.add(Account(username=f"{name}-{number}", quota=seen + 1))
    database.engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
