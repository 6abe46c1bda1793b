"""The client: sharing, describing, finding, fetching, and being told."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from repo_client.asking import Asker
from repo_client.errors import RepositoryError, Unreachable
from repo_client.records import Resource, Upload, Webhook
from repo_client.transfer import Progress, Transfer

_TIMEOUT: Final = httpx.Timeout(60.0, connect=10.0)
_UNDER_WAY: Final = ("queued", "running")
_PIECE: Final = 256 * 1024


def _untold(_sent: int, _size: int) -> None:
    """Nobody wants to know."""


class Repository:
    """One service, asked with one token. For one thread.

    What breaks off is tried ``attempts`` times, and nothing is done twice: requests that create something
    have keys of their own. Every method raises Problem for what the service refuses, with its code, and
    Unreachable when it does not answer.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        attempts: int = 5,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``transport`` and ``sleep`` are there for tests."""
        headers = {"User-Agent": "repo-client/1"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx.Client(
            base_url=base_url.rstrip("/"), headers=headers, timeout=_TIMEOUT, transport=transport
        )
        self._asker = Asker(self._http, attempts=attempts, sleep=sleep)
        self._transfer = Transfer(self._asker)

    def __enter__(self) -> Self:
        """For ``with``."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    def upload(
        self,
        path: Path | str,
        *,
        resume: str | None = None,
        begun: Callable[[str], None] = lambda url: None,
        progress: Progress = _untold,
    ) -> Upload:
        """Send a file of any size, in pieces, by tus. A broken line is taken up where it broke.

        ``begun`` is told the address of the upload, which ``resume`` takes to go on with it another day, as
        long as the service keeps it. Raises UploadFailed, too.
        """
        file = Path(path)
        url = resume or self._transfer.begin(file, file.name)
        begun(url)
        self._transfer.send(file, url, progress)
        return self._transfer.finish(url)

    def share(
        self, file: Path | str | Upload, *, release: bool = False, change_note: str = "", **description: Any
    ) -> Resource:
        """A new resource of a file, or of an upload. ``description`` has the members of ``ResourceIn`` in the
        API's document: title, licence, languages, authors, canonical_url …; ``release`` lets everybody read
        it once nothing is found against that."""
        upload = file if isinstance(file, Upload) else self.upload(file)
        body = {"upload": upload.id, "release": release, "change_note": change_note, **description}
        return Resource.of(self._asker.json("POST", "/api/v1/resources", json=body, once_only=True))

    def add_version(
        self, id_: str, file: Path | str | Upload, *, release: bool = False, change_note: str = ""
    ) -> Resource:
        """A further version of one's own resource."""
        upload = file if isinstance(file, Upload) else self.upload(file)
        body = {"upload": upload.id, "release": release, "change_note": change_note}
        return Resource.of(
            self._asker.json("POST", f"/api/v1/resources/{id_}/versions", json=body, once_only=True)
        )

    def resource(self, id_: str) -> Resource:
        """One resource."""
        return Resource.of(self._asker.json("GET", f"/api/v1/resources/{id_}"))

    def wait(self, id_: str, *, timeout: float = 600) -> Resource:
        """One's own resource, once its newest file was looked into. Raises Unreachable after ``timeout``
        seconds."""
        until = time.monotonic() + timeout
        attempt = 0
        while (found := self.resource(id_)).newest.processing in _UNDER_WAY:
            if time.monotonic() > until:
                raise Unreachable(f"{found.url} is still being looked into")
            attempt += 1
            self._asker.pause(min(attempt, 4), None)
        return found

    def describe(self, id_: str, **description: Any) -> Resource:
        """Change what is given of one's own resource."""
        return Resource.of(self._asker.json("PATCH", f"/api/v1/resources/{id_}", json=description))

    def release(self, id_: str, number: int) -> Resource:
        """Let everybody read a version."""
        url = f"/api/v1/resources/{id_}/versions/{number}/release"
        return Resource.of(self._asker.json("POST", url, once_only=True))

    def withdraw(self, id_: str, *, reason: str) -> None:
        """Let nobody see one's own resource any more; ``reason`` is shown in its place."""
        self._asker.ask("POST", f"/api/v1/resources/{id_}/withdraw", json={"reason": reason})

    def search(self, words: str = "", **filters: str | Sequence[str]) -> Iterator[dict[str, Any]]:
        """Public resources, the best first, page after page as they are wanted; ``filters`` such as
        ``language="en"``."""
        cursor = None
        while True:
            params = {"q": words, **filters, **({} if cursor is None else {"cursor": cursor})}
            page = self._asker.json("GET", "/api/v1/resources", params=params)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def download(self, resource: Resource, path: Path | str, *, number: int | None = None) -> Path:
        """The file of a version, the newest one without ``number``, written to ``path``. A broken line is
        taken up where it broke, and the whole is held against its SHA-256; nothing stands at ``path`` before.

        Raises RepositoryError where the bytes are not those.
        """
        version = next((v for v in resource.versions if number in (None, v.number)), None)
        if version is None:
            raise RepositoryError(f"{resource.url} has no version {number}")
        target = Path(path)
        partial = target.with_name(f"{target.name}.part")
        partial.write_bytes(b"")
        failures, arrived = 0, 0
        while True:
            try:
                self._fetch(version.download_url, partial)
                break
            except httpx.TransportError as error:
                failures = 1 if partial.stat().st_size > arrived else failures + 1
                arrived = partial.stat().st_size
                if failures >= self._asker.attempts:
                    raise Unreachable(f"{version.download_url}: {error}") from error
                self._asker.pause(failures, None)
        with partial.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if version.sha256 is not None and digest != version.sha256:
            partial.unlink()
            raise RepositoryError(f"{version.download_url} gave other bytes than its SHA-256 says")
        return partial.replace(target)

    def _fetch(self, url: str, partial: Path) -> None:
        """What is missing of a file."""
        had = partial.stat().st_size
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={had}-"} if had else {})}
        with self._asker.stream(url, headers) as response:
            goes_on = response.status_code == httpx.codes.PARTIAL_CONTENT
            with partial.open("ab" if goes_on else "wb") as file:
                for piece in response.iter_bytes(_PIECE):
                    file.write(piece)

    def create_webhook(self, url: str, events: Sequence[str], *, reach: str = "own") -> Webhook:
        """Be told at ``url``; keep the ``secret`` of what this returns. See ``verify``."""
        body = {"url": url, "events": list(events), "reach": reach}
        return Webhook.of(self._asker.json("POST", "/api/v1/webhooks", json=body))
