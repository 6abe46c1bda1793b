"""The other ways in: tus, straight to the bucket, IPFS, and many at once."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx

from bench.files import Body, bearer, empty, empty_bucket, put, warm_up
from bench.measuring import GIB, MIB, Bench, Row, Rule, compared, seconds
from bench.programs import Growth, Service, curl, running_service
from tests.support.ipfs import running_node
from tests.support.weed import running_weed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_AT_ONCE = 8
_PARTS_AT_ONCE = 10
"""As many as boto3 sends."""
_POLL_SECONDS = 0.02
_VERIFY_SECONDS = 600.0


def tus(bench: Bench) -> Iterator[Row]:
    """One upload by tus in one PATCH, against the same file by a raw PUT."""
    folder = bench.folder / "tus"
    with running_service(folder / "service") as service:
        file = Body(folder / "body", bench.file_size)
        blobs = folder / "service" / "data" / "store" / "blobs"

        def send() -> float:
            file.change()
            taken = _tus(service, file)
            empty(blobs)
            return taken

        def put_raw() -> float:
            file.change()
            taken = put(service, file)
            empty(blobs)
            return taken

        warm_up(service, folder)
        bench.say("tus")
        yield compared(
            "tus, one PATCH / raw PUT",
            "s",
            bench.interleaved(send, put_raw),
            bar=1.3,
            rule=Rule.RATIO_AT_MOST,
        )


def direct(bench: Bench) -> Iterator[Row]:
    """Straight to the bucket, against bare boto3; and the verification that follows, against a bare read."""
    folder = bench.folder / "direct"
    (folder / "weed").mkdir(parents=True)
    bench.say("starting the S3 server")
    with running_weed(folder / "weed") as weed:
        bucket, bare = weed.make_bucket(), weed.make_bucket()
        with running_service(
            folder / "service",
            worker=True,
            store_url=weed.store_url(bucket, public_endpoint_url=weed.endpoint_url),
            store_access_key=weed.access_key,
            store_secret_key=weed.secret_key,
        ) as service:
            client = weed.client
            file = Body(folder / "body", bench.file_size)
            verified: list[float] = []
            asked: list[float] = []

            def send() -> float:
                empty_bucket(client, bucket)
                file.change()
                begin = time.perf_counter()
                upload, took = _direct(service, file)
                asked.append(took)
                completed = time.perf_counter()
                _wait_until_finished(service, upload)
                verified.append(time.perf_counter() - completed)
                return completed - begin

            def send_bare() -> float:
                file.change()
                taken = seconds(lambda: client.upload_file(str(file.path), bare, "body"))
                read.append(seconds(lambda: _read_hashing(client, bare, "body")))
                client.delete_object(Bucket=bare, Key="body")
                return taken

            read: list[float] = []
            bench.say("straight to the bucket")
            yield compared(
                "presigned parts until complete / bare boto3 upload_file",
                "s",
                bench.interleaved(send, send_bare),
                bar=1.05,
                rule=Rule.RATIO_AT_MOST,
                note=f"{_PARTS_AT_ONCE} parts at a time; {_median(asked):.2f} s of it are our own requests",
            )
            yield Row(
                name="verification of a direct upload / bare get_object with SHA-256",
                unit="s",
                ours=_median(verified),
                floor=_median(read),
                bar=1.2,
                rule=Rule.RATIO_AT_MOST,
                note="from the answer to complete until the upload is finished",
                ours_runs=verified[1:],
                floor_runs=read[1:],
            )


def ipfs(bench: Bench) -> Iterator[Row]:
    """A raw PUT to a store that is a private IPFS node, against ``ipfs add`` on that node."""
    folder = bench.folder / "ipfs"
    (folder / "kubo").mkdir(parents=True)
    with (
        running_node(folder / "kubo") as kubo,
        running_service(folder / "service", store_url=kubo.store_url(private="true")) as service,
    ):
        file = Body(folder / "body", bench.file_size)

        def send() -> float:
            file.change()
            return put(service, file)

        def add() -> float:
            file.change()
            options = ("--quieter", "--cid-version=1", "--raw-leaves", "--chunker=size-262144")
            return seconds(lambda: kubo.run("add", *options, str(file.path)))

        warm_up(service, folder)
        bench.say("adding to IPFS")
        yield compared(
            "raw PUT, IPFS store / ipfs add",
            "s",
            bench.interleaved(send, add),
            bar=1.3,
            rule=Rule.RATIO_AT_MOST,
        )


def many(bench: Bench) -> Iterator[Row]:
    """Eight large uploads at once: all verified, and what memory they need together."""
    folder = bench.folder / "many"
    size = bench.file_size
    with running_service(folder / "service", max_upload_size=2 * GIB) as service:
        files = [Body(folder / f"body{number}", size) for number in range(_AT_ONCE)]
        warm_up(service, folder)
        bench.say(f"{_AT_ONCE} uploads at once")
        with Growth(service) as growth, ThreadPoolExecutor(_AT_ONCE) as pool:
            begin = time.perf_counter()
            list(pool.map(lambda file: put(service, file), files))  # each announces its SHA-256
            taken = time.perf_counter() - begin
        blobs = [path for path in (folder / "service/data/store/blobs").rglob("*") if path.is_file()]
        for file in files:
            (stored,) = (path for path in blobs if path.name == file.digest)
            with stored.open("rb") as kept:
                if hashlib.file_digest(kept, "sha256").hexdigest() != file.digest:
                    raise RuntimeError(f"{file.digest} is not what was sent")
        yield Row(
            name=f"memory growth: {_AT_ONCE} uploads at once, file store",
            unit="MiB",
            ours=growth.bytes / MIB,
            bar=200.0,
            rule=Rule.AT_MOST,
            note=f"{_AT_ONCE} x {size / MIB:,.0f} MiB in {taken:.1f} s, all verified",
        )


def _tus(service: Service, file: Body) -> float:
    headers = {
        "Tus-Resumable": "1.0.0",
        "Upload-Length": str(file.size),
        "Upload-Metadata": "filename Ym9keQ==",
    }
    made: list[str] = []

    def create() -> None:
        answer = service.api.post("/api/v1/tus", headers=headers).raise_for_status()
        made.append(answer.headers["Location"])

    taken = seconds(create)
    return taken + curl(
        *("--request", "PATCH", "--upload-file", str(file.path), *bearer(service)),
        *("--header", "Tus-Resumable: 1.0.0", "--header", "Upload-Offset: 0"),
        *("--header", "Content-Type: application/offset+octet-stream", made[0]),
    )


def _direct(service: Service, file: Body) -> tuple[str, float]:
    """Send a file as a client would that knows presigned parts.

    Returns the address of the upload, and how many seconds the service was asked and not the bucket.
    """
    begin = time.perf_counter()
    given = {"file_name": "body.bin", "size": file.size, "sha256": file.digest}
    upload = service.api.post("/api/v1/uploads/direct", json=given).raise_for_status().json()
    parts: list[dict[str, Any]] = []
    first: int | None = 1
    while first is not None:
        page = service.api.get(upload["parts_url"], params={"first": first}).raise_for_status().json()
        parts += page["items"]
        first = page["next_first"]
    asked = time.perf_counter() - begin
    descriptor = os.open(file.path, os.O_RDONLY)
    try:
        with httpx.Client(timeout=120) as bucket, ThreadPoolExecutor(_PARTS_AT_ONCE) as pool:

            def send(part: dict[str, Any]) -> dict[str, Any]:
                start = (part["number"] - 1) * upload["part_size"]
                content = os.pread(descriptor, part["size"], start)
                answer = bucket.put(part["url"], content=content).raise_for_status()
                return {"number": part["number"], "etag": answer.headers["ETag"]}

            sent = list(pool.map(send, parts))
    finally:
        os.close(descriptor)
    asked += seconds(
        lambda: service.api.post(upload["complete_url"], json={"parts": sent}).raise_for_status()
    )
    return str(upload["url"]), asked


def _wait_until_finished(service: Service, url: str) -> None:
    deadline = time.monotonic() + _VERIFY_SECONDS
    while time.monotonic() < deadline:
        upload = service.api.get(url).raise_for_status().json()
        if upload["state"] == "finished":
            return
        if upload["state"] == "failed":
            raise RuntimeError(f"the upload failed: {upload}")
        time.sleep(_POLL_SECONDS)
    raise RuntimeError("the upload was not verified in time")


def _read_hashing(client: S3Client, bucket: str, key: str) -> None:
    digest = hashlib.sha256()
    for block in client.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(MIB):
        digest.update(block)


def _median(values: list[float]) -> float:
    """Of all but the first, which warmed up."""
    ordered = sorted(values[1:])
    return ordered[len(ordered) // 2]
