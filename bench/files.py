"""Files of one gibibyte in and out: our service against nginx on local disk, against bare boto3 on S3."""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measuring import MIB, Bench, Row, Rule, compared, seconds
from bench.programs import Growth, Service, curl, running_nginx, running_service
from tests.support.weed import running_weed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MEMORY_BAR = 64.0
_BLOCK = MIB


def local(bench: Bench) -> Iterator[Row]:
    """The file store against nginx: WebDAV PUT one way, a static file the other."""
    folder = bench.folder / "local"
    with running_service(folder / "service") as service, running_nginx(folder / "nginx") as (nginx, root):
        file = Body(folder / "body", bench.file_size)
        blobs = folder / "service" / "data" / "store" / "blobs"

        def put_to_nginx() -> float:
            file.change()
            taken = curl("--upload-file", str(file.path), f"{nginx}/body")
            # At once: what is not yet on disk then never burdens the other side's run.
            (root / "body").unlink()
            return taken

        def put_raw() -> float:
            file.change()
            taken = put(service, file)
            empty(blobs)
            return taken

        def put_form() -> float:
            file.change()
            taken = _post_form(service, file)
            empty(blobs)
            return taken

        warm_up(service, folder)
        bench.say("raw PUT to the file store")
        yield from _with_growth(
            bench, service, "raw PUT, file store / nginx WebDAV PUT", (put_raw, put_to_nginx), 2.0, body=file
        )
        bench.say("multipart form to the file store")
        yield from _with_growth(
            bench,
            service,
            "multipart form, file store / nginx WebDAV PUT",
            (put_form, put_to_nginx),
            2.5,
            body=file,
        )
        bench.say("download from the file store")
        url = _shared(service, file)
        file.path.rename(root / "body")

        def get() -> float:
            return curl(url, *bearer(service))

        def get_from_nginx() -> float:
            return curl(f"{nginx}/body")

        yield from _with_growth(
            bench, service, "download, file store / nginx static", (get, get_from_nginx), 1.2
        )


def s3(bench: Bench) -> Iterator[Row]:
    """The S3 store against boto3 alone, both on the same server."""
    folder = bench.folder / "s3"
    (folder / "weed").mkdir(parents=True)
    bench.say("starting the S3 server")
    with running_weed(folder / "weed") as weed:
        bucket, bare = weed.make_bucket(), weed.make_bucket()
        with running_service(
            folder / "service",
            store_url=weed.store_url(bucket),
            store_access_key=weed.access_key,
            store_secret_key=weed.secret_key,
        ) as service:
            client = weed.client
            file = Body(folder / "body", bench.file_size)

            def send() -> float:
                file.change()
                taken = put(service, file)
                empty_bucket(client, bucket)
                return taken

            def send_bare() -> float:
                file.change()
                taken = seconds(lambda: client.upload_file(str(file.path), bare, "body"))
                client.delete_object(Bucket=bare, Key="body")
                return taken

            warm_up(service, folder)
            bench.say("upload to S3")
            yield from _with_growth(
                bench, service, "upload, S3 store / bare boto3 upload_file", (send, send_bare), 1.25
            )
            bench.say("download from S3")
            url = _shared(service, file)
            client.upload_file(str(file.path), bare, "body")

            def get() -> float:
                return curl(url, *bearer(service))

            def get_bare() -> float:
                return seconds(lambda: _read(client, bare, "body", file.size))

            yield from _with_growth(
                bench, service, "download, S3 store / bare boto3 get_object", (get, get_bare), 1.2
            )


class Body:
    """A file of random bytes that is made different before each run: no store has seen them before."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self.hashing: list[float] = []
        """Seconds that SHA-256 of the whole took, each time: less than that no upload can take."""
        with path.open("wb") as file:
            for _ in range(size // _BLOCK):
                file.write(os.urandom(_BLOCK))
            # On disk now, or its own pages would be written out while others are timed.
            file.flush()
            os.fsync(file.fileno())
        self.change()

    def change(self) -> None:
        """Other bytes, of the same size; the whole file is in the page cache then."""
        with self.path.open("r+b") as file:
            file.seek(_BLOCK // 2)
            file.write(os.urandom(64))
            os.fsync(file.fileno())
        with self.path.open("rb") as file:
            begin = time.perf_counter()
            self.digest = hashlib.file_digest(file, "sha256").hexdigest()
            self.hashing.append(time.perf_counter() - begin)


def _with_growth(
    bench: Bench,
    service: Service,
    name: str,
    sides: tuple[Callable[[], float], Callable[[], float]],
    bar: float,
    *,
    body: Body | None = None,
) -> Iterator[Row]:
    """A row of seconds, and one of the memory that the web processes needed for it. With ``body`` the row
    tells how long SHA-256 alone takes, which the floor does not compute."""
    if body is not None:
        body.hashing.clear()
    with Growth(service) as growth:
        runs = bench.interleaved(*sides)
    note = f"{bench.file_size / MIB / runs[0].median:,.0f} MiB/s"
    if body is not None:
        note += f"; SHA-256 alone {statistics.median(body.hashing):.2f} s"
    yield compared(name, "s", runs, bar=bar, rule=Rule.RATIO_AT_MOST, note=note)
    grown = growth.bytes / MIB
    yield Row(
        name=f"memory growth: {name.partition(' / ')[0]}",
        unit="MiB",
        ours=grown,
        bar=_MEMORY_BAR,
        rule=Rule.AT_MOST,
        ours_runs=[grown],
        note="resident memory of all web processes, most over all runs",
    )


def put(service: Service, file: Body) -> float:
    """Announce an upload with its digest, then send it."""
    announced: list[str] = []

    def begin() -> None:
        given = {"file_name": "body.bin", "size": file.size, "sha256": file.digest}
        answer = service.api.post("/api/v1/uploads", json=given).raise_for_status()
        announced.append(answer.json()["url"])

    taken = seconds(begin)
    return taken + curl("--upload-file", str(file.path), *bearer(service), announced[0])


def _post_form(service: Service, file: Body) -> float:
    metadata = json.dumps({"sha256": file.digest})
    return curl(
        *bearer(service),
        "--form",
        f"metadata={metadata}",
        "--form",
        f"file=@{file.path};filename=body.bin",
        f"{service.url}/api/v1/resources",
    )


def _shared(service: Service, file: Body) -> str:
    """The address of the file as a draft of the administrator's."""
    given = {"file_name": "body.bin", "size": file.size}
    upload = service.api.post("/api/v1/uploads", json=given).raise_for_status().json()
    curl("--upload-file", str(file.path), *bearer(service), upload["url"])
    made = service.api.post("/api/v1/resources", json={"upload": upload["id"]}).raise_for_status()
    url: str = made.json()["versions"][0]["download_url"]
    return url


def bearer(service: Service) -> tuple[str, str]:
    return "--header", f"Authorization: Bearer {service.token}"


def warm_up(service: Service, folder: Path) -> None:
    """Let every web process do each thing with a small file: what it loads for good is then loaded."""
    for _ in range(8):
        small = Body(folder / "small", MIB)
        curl(_shared(service, small), *bearer(service))
        small.change()
        _post_form(service, small)
    (folder / "small").unlink()


def empty(blobs: Path) -> None:
    for path in blobs.rglob("*"):
        if path.is_file():
            path.unlink()


def empty_bucket(client: S3Client, bucket: str) -> None:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for found in page.get("Contents", []):
            client.delete_object(Bucket=bucket, Key=found["Key"])


def _read(client: S3Client, bucket: str, key: str, size: int) -> None:
    body = client.get_object(Bucket=bucket, Key=key)["Body"]
    got = sum(len(block) for block in body.iter_chunks(_BLOCK))
    if got != size:
        raise RuntimeError(f"{got} bytes came, not {size}")
