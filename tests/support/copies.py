"""Looking at the copies of blobs, and spoiling them behind the service's back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import select

from repo_service.models import BlobLocation, Job
from repo_service.services.container import Services
from storage import BlobNotFound, BlobStore, Locator


def states(services: Services, digest: str) -> dict[str, str]:
    """What is known of each copy, by the name of its store."""
    with services.database.read() as session:
        rows = session.execute(
            select(BlobLocation.store, BlobLocation.state).where(BlobLocation.digest == digest)
        )
        return {row.store: row.state for row in rows}


def locator(services: Services, digest: str, store: str) -> Locator:
    """Where the copy in that store is."""
    with services.database.read() as session:
        return Locator(
            session.scalars(
                select(BlobLocation.locator).where(BlobLocation.digest == digest, BlobLocation.store == store)
            ).one()
        )


def there(services: Services, digest: str, store: str) -> bytes | None:
    """The bytes of the copy in that store, None when they are not there."""
    try:
        with services.stores[store].open(locator(services, digest, store)) as reader:
            return reader.read()
    except BlobNotFound:
        return None


def job(services: Services, key: str) -> Job:
    """The replication job for that digest."""
    with services.database.read() as session:
        found = session.scalars(select(Job).where(Job.kind == "replicate", Job.key == key)).one()
        session.expunge(found)
        return found


def spoil(store: BlobStore, place: Locator, data: bytes) -> None:
    """Put other bytes in the place of a blob, as a failing disk would: no one is told."""
    driver: Any = vars(store)["_driver"]
    match driver.name:
        case "file":
            (driver._root / place).write_bytes(data)
        case "s3":
            driver.client.put_object(Bucket=driver.bucket, Key=driver.key_of(place), Body=data)
        case "memory":
            driver._blobs[place] = replace(driver._blobs[place], data=data)
        case other:
            raise NotImplementedError(other)


def flip(services: Services, digest: str, store: str, *, at: int = 0) -> None:
    """One bit of the copy in that store is another now."""
    data = bytearray(there(services, digest, store) or b"")
    data[at] ^= 1
    spoil(services.stores[store], locator(services, digest, store), bytes(data))


def lose(services: Services, digest: str, store: str) -> None:
    """The copy in that store is gone, and nobody is told."""
    services.stores[store].delete(locator(services, digest, store))
