"""A teacher's software that shares one file, whatever happens meanwhile. One way of uploading a class.

``go`` does what is left to do; it is called again after everything that breaks it off. What the service has
acknowledged is never sent again: it has to be there.
"""

from __future__ import annotations

import base64
import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

import httpx

from tests.support.backups import ActivitySpec, backup

_PIECE = 64 * 1024
_MIB = 1024 * 1024
_PATIENCE_SECONDS = 60
_WORD_LENGTH = 12


class Refused(Exception):
    """The service answered with a problem."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(
            f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}"
        )
        self.status = answer.status_code


class Lost(Exception):
    """What the service had acknowledged is not there any more."""


class Cut(Exception):
    """The client's line broke."""


@dataclass(frozen=True, kw_only=True)
class File:
    """The file to share: a backup with ``word`` in its title, which no other file has."""

    path: Path
    data: bytes
    word: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @classmethod
    def make(cls, folder: Path, random: Random, *, size: int) -> File:
        """About ``size`` bytes that do not compress."""
        word = "".join(random.choices("bcdfghklmnprstvz", k=_WORD_LENGTH))
        path = folder / f"{word}.mbz"
        page = ActivitySpec(title="Rivers", files=[("map.bin", random.randbytes(size))])
        backup(path, fullname=f"Course {word}", shortname=word, activities=[page])
        return cls(path=path, data=path.read_bytes(), word=word)


@dataclass
class Stop:
    """Where the client itself stands still: once so many bytes are sent."""

    size: int
    cuts: bool = False
    reached: Event = field(default_factory=Event)
    go: Event = field(default_factory=Event)

    def passed(self, size: int) -> None:
        """So many bytes are sent by now. Raises Cut."""
        if size < self.size or self.reached.is_set():
            return
        self.reached.set()
        if self.cuts:
            raise Cut
        self.go.wait(_PATIENCE_SECONDS)


@dataclass
class Share:
    """What the client knows of its file on its way."""

    client: httpx.Client
    file: File
    stop: Stop | None = None
    upload: str | None = None
    held: int = 0
    """Bytes that the service has said it keeps."""
    is_uploaded: bool = False
    resource: Any = None
    resumed_at: int | None = None
    begun: int = 0

    def send(self, method: str, url: str, **how: Any) -> httpx.Response:
        """Raises Refused, httpx.TransportError."""
        answer = self.client.request(method, url, **how)
        if not answer.is_success:
            raise Refused(answer)
        return answer

    def pieces(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes of the file, as they are sent."""
        end = len(self.file.data) if end is None else end
        while start < end:
            piece = self.file.data[start : min(start + _PIECE, end)]
            yield piece
            start += len(piece)
            if self.stop is not None:
                self.stop.passed(start)

    def own_resources(self) -> list[Any]:
        """Those of the teacher's that have this file."""
        items = self.send("GET", "/api/v1/me/resources", params={"limit": 100}).json()["items"]
        return [
            item
            for item in items
            if item["visibility"] != "withdrawn"
            and any(version["sha256"] == self.file.digest for version in item["versions"])
        ]


class Way(ABC):
    """One way of uploading."""

    name: str

    @abstractmethod
    def go(self, share: Share) -> None:
        """Do what is left until the resource is there. Raises Refused, Lost, Cut, httpx.TransportError."""


class Form(Way):
    """One form with everything."""

    name = "form"

    def go(self, share: Share) -> None:
        share.begun += 1
        body, content_type = _form(share)
        answer = share.send(
            "POST",
            "/api/v1/resources",
            content=body,
            headers={"Content-Type": content_type, "Content-Length": str(_form_length(share))},
        )
        share.resource = answer.json()
        share.is_uploaded = True


class _Named(Way):
    """The file first, then a resource that names the upload."""

    def go(self, share: Share) -> None:
        if not share.is_uploaded:
            self.upload(share)
            share.is_uploaded = True
        self.wait_until_finished(share)
        try:
            answer = share.send("POST", "/api/v1/resources", json={**_METADATA, "upload": share.upload})
        except Refused as error:
            if error.status in (404, 409):
                if not share.own_resources():
                    raise Lost(f"an acknowledged upload: {error}") from error
                # It was taken by the request whose answer was lost: the same file can be shared again.
                share.upload, share.is_uploaded, share.held = None, False, 0
                self.go(share)
                return
            raise
        share.resource = answer.json()

    def wait_until_finished(self, share: Share) -> None:
        """Nothing to wait for, where an upload that was answered is finished."""

    @abstractmethod
    def upload(self, share: Share) -> None:
        """Bring the file, or what is missing of it."""

    def begin_anew(self, share: Share) -> None:
        """Forget an upload that is gone."""
        share.upload, share.held = None, 0


class Raw(_Named):
    """Announced, then sent as one body."""

    name = "raw"

    def upload(self, share: Share) -> None:
        if share.upload is not None and self._is_finished(share):
            return
        if share.upload is None:
            share.begun += 1
            given = {"file_name": "course.mbz", "size": len(share.file.data)}
            share.upload = share.send("POST", "/api/v1/uploads", json=given).json()["id"]
        share.send(
            "PUT",
            f"/api/v1/uploads/{share.upload}",
            content=share.pieces(),
            headers={"Content-Length": str(len(share.file.data))},
        )

    def _is_finished(self, share: Share) -> bool:
        try:
            state = share.send("GET", f"/api/v1/uploads/{share.upload}").json()["state"]
        except Refused as error:
            if error.status != 404:
                raise
            state = "gone"
        if state not in ("open", "finished"):
            self.begin_anew(share)
        return bool(state == "finished")


class Tus(_Named):
    """tus 1.0, in several requests; after an interruption it asks how far the upload is."""

    name = "tus"
    _headers = {"Tus-Resumable": "1.0.0"}  # noqa: RUF012 - never changed

    def upload(self, share: Share) -> None:
        size = len(share.file.data)
        if share.upload is None:
            share.begun += 1
            name = base64.b64encode(b"course.mbz").decode()
            headers = {"Upload-Length": str(size), "Upload-Metadata": f"filename {name}"}
            answer = share.send("POST", "/api/v1/tus", headers=self._headers | headers)
            share.upload = answer.headers["Location"].rpartition("/")[2]
        elif not self._look(share):
            self.begin_anew(share)
            self.upload(share)
            return
        while share.held < size:
            end = min(size, share.held + max(_PIECE, size // 3))
            headers = {
                "Upload-Offset": str(share.held),
                "Content-Type": "application/offset+octet-stream",
                "Content-Length": str(end - share.held),
            }
            answer = share.send(
                "PATCH",
                f"/api/v1/tus/{share.upload}",
                headers=self._headers | headers,
                content=share.pieces(share.held, end),
            )
            share.held = int(answer.headers["Upload-Offset"])

    def _look(self, share: Share) -> bool:
        """Where to go on; False when the upload is gone. Raises Lost when bytes are."""
        answer = share.client.head(f"/api/v1/tus/{share.upload}", headers=self._headers)
        if answer.status_code in (404, 410):
            if share.held:
                raise Lost(f"the upload with {share.held} acknowledged bytes: {answer.status_code}")
            return False
        if not answer.is_success:
            raise Refused(answer)
        offset = int(answer.headers["Upload-Offset"])
        if offset < share.held:
            raise Lost(f"{share.held} bytes were acknowledged, {offset} are there")
        share.held = share.resumed_at = offset
        return True

    def wait_until_finished(self, share: Share) -> None:
        _wait_until_finished(share)


class Direct(_Named):
    """In parts, straight to the bucket; then the service verifies them."""

    name = "direct"

    def upload(self, share: Share) -> None:
        if share.upload is None:
            share.begun += 1
            given = {"file_name": "course.mbz", "size": len(share.file.data)}
            share.upload = share.send("POST", "/api/v1/uploads/direct", json=given).json()["id"]
        state = share.send("GET", f"/api/v1/uploads/{share.upload}").json()["state"]
        if state != "open":
            return
        try:
            self._send_parts(share)
        except Refused as error:
            if error.status != 409:  # else the parts were put together already
                raise
        share.send("POST", f"/api/v1/uploads/{share.upload}/complete")

    def _send_parts(self, share: Share) -> None:
        page = share.send("GET", f"/api/v1/uploads/{share.upload}/parts").json()
        there = sum(part["size"] for part in page["items"] if part["etag"])
        if there:
            share.resumed_at = there
        for part in page["items"]:
            start = (part["number"] - 1) * page["part_size"]
            if part["etag"]:
                continue
            data = share.file.data[start : start + part["size"]]
            answer = httpx.put(part["url"], content=data, timeout=60)
            if not answer.is_success:
                raise Refused(answer)
            if share.stop is not None:
                share.stop.passed(start + part["size"])

    def wait_until_finished(self, share: Share) -> None:
        _wait_until_finished(share)


WAYS: dict[str, Way] = {way.name: way for way in (Form(), Raw(), Tus(), Direct())}

_METADATA = {"licence": "CC-BY-4.0", "release": True}
_BOUNDARY = "faults-7f2c"
_HEAD = (
    f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n'
    '{"licence": "CC-BY-4.0", "release": true}\r\n'
    f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="course.mbz"\r\n'
    "Content-Type: application/octet-stream\r\n\r\n"
).encode()
_TAIL = f"\r\n--{_BOUNDARY}--\r\n".encode()


def _form(share: Share) -> tuple[Iterator[bytes], str]:
    def body() -> Iterator[bytes]:
        yield _HEAD
        yield from share.pieces()
        yield _TAIL

    return body(), f"multipart/form-data; boundary={_BOUNDARY}"


def _form_length(share: Share) -> int:
    return len(_HEAD) + len(share.file.data) + len(_TAIL)


def _wait_until_finished(share: Share) -> None:
    """Ask for the upload until it is verified. Raises Lost when it is gone or failed."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            found = share.send("GET", f"/api/v1/uploads/{share.upload}").json()
        except Refused as error:
            if error.status == 404:
                raise Lost(f"an acknowledged upload: {error}") from error
            raise
        if found["state"] in ("finished", "used"):
            return
        if found["state"] == "failed":
            raise Lost(f"an acknowledged upload failed: {found['reason']}")
        if time.monotonic() > deadline:
            raise Lost(f"an acknowledged upload is {found['state']} for {_PATIENCE_SECONDS} seconds")
        time.sleep(0.1)
