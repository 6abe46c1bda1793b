"""Files on their way in, by tus (https://tus.io/protocols/resumable-upload): no byte that arrived is sent
twice."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import httpx

from repo_client.asking import Asker
from repo_client.errors import Problem, Unreachable, UploadFailed
from repo_client.records import Upload

Progress = Callable[[int, int], None]
"""Is told how many bytes are sent, and of how many."""

_VERSION: Final = {"Tus-Resumable": "1.0.0"}
_PIECE: Final = 256 * 1024
_UNDER_WAY: Final = ("verifying", "publishing")
_LATER: Final = frozenset(
    {"locked", "offset-mismatch", "busy", "storage-unavailable", "database-unavailable"}
)


class Transfer:
    """Sends files."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def begin(self, path: Path, file_name: str) -> str:
        """The address of a new upload, for a file that is there already: its SHA-256 goes along."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        metadata = {"filename": file_name, "sha256": digest}
        told = ",".join(
            f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in metadata.items()
        )
        headers = {**_VERSION, "Upload-Length": str(path.stat().st_size), "Upload-Metadata": told}
        response = self._asker.ask("POST", "/api/v1/tus", headers=headers, again=True)
        return str(response.headers["Location"])

    def send(self, path: Path, url: str, progress: Progress) -> None:
        """Send what has not arrived yet, and go on after whatever broke off, as long as something arrives.

        Raises Problem, Unreachable.
        """
        size = path.stat().st_size
        failures, arrived = 0, -1
        while (offset := self._offset(url)) < size:
            if offset > arrived:
                failures, arrived = 0, offset
            progress(offset, size)
            wanted: float | None = None
            try:
                with path.open("rb") as file:
                    file.seek(offset)
                    self._patch(url, file, offset, size, progress)
                continue
            except httpx.TransportError as error:
                reason = str(error) or type(error).__name__
            except Problem as problem:
                if problem.code not in _LATER:
                    raise
                reason, wanted = problem.detail, problem.retry_after
            failures += 1
            if failures >= self._asker.attempts:
                raise Unreachable(f"{url} takes no more bytes: {reason}")
            self._asker.pause(failures, wanted)
        progress(size, size)

    def finish(self, url: str) -> Upload:
        """The upload, once all its bytes were read and found right. Raises UploadFailed, Problem."""
        id_ = url.rpartition("/")[2]
        waited = 0
        while True:
            upload = Upload.of(self._asker.json("GET", f"/api/v1/uploads/{id_}"), url=url)
            if upload.state not in _UNDER_WAY:
                break
            waited += 1
            self._asker.pause(min(waited, 4), None)
        if upload.state == "failed":
            raise UploadFailed(upload.reason or "The bytes were not what was announced.")
        return upload

    def _offset(self, url: str) -> int:
        return int(self._asker.ask("HEAD", url, headers=_VERSION).headers["Upload-Offset"])

    def _patch(self, url: str, file: BinaryIO, offset: int, size: int, progress: Progress) -> None:
        headers = {
            **_VERSION,
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(size - offset),
        }
        self._asker.once("PATCH", url, headers=headers, content=_pieces(file, offset, size, progress))


def _pieces(file: BinaryIO, sent: int, size: int, progress: Progress) -> Iterator[bytes]:
    while sent < size and (piece := file.read(min(_PIECE, size - sent))):
        yield piece
        sent += len(piece)
        progress(sent, size)
