"""A lookup asks the driver itself and gives what the engine gives."""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import Uuid, bindparam, select

from repo_service.models import Account
from repo_service.models.lookup import Lookup
from tests.support.service import Service


def test_a_row_by_its_key(any_service: Service) -> None:
    """Keys and constants are given to the driver of each database as it wants them."""
    any_service.member("teacher")
    engine = any_service.services.database.engine
    with any_service.services.database.write() as session:
        account = session.scalars(select(Account)).one()
        account.quota = 17
    key = bindparam("id", type_=Uuid())
    quota = select(Account.quota, Account.created_at, Account.blocked_at).where(
        Account.id == key, Account.username == "teacher"
    )
    lookup = Lookup(engine, quota, key)
    assert lookup(account.id) == (17, account.created_at, None)
    assert lookup(uuid4()) is None
    with any_service.services.database.write() as session:
        session.get_one(Account, account.id).username = "tutor"
    assert lookup(account.id) is None
