"""The largest share that Moodle sends: neither side holds it in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.moodle_plugin_bridge.moodle import CREATE, Share
from tests.support.running import running

_LARGEST = 1_070_000_000
"""``resource_sender.php``: MAX_FILESIZE."""
_BLOCK = bytes(range(256)) * 4096


def test_the_largest_share_that_moodle_sends(tmp_path: Path) -> None:
    share = Share.of(b"", "Recorded lectures", "Seven large media files.", "LARGE-VIDEO_backup.mbz")

    def body() -> Iterator[bytes]:
        yield share.head()
        left = _LARGEST
        while left:
            block = _BLOCK[: min(left, len(_BLOCK))]
            left -= len(block)
            yield block
        yield share.tail

    size = len(share.head()) + _LARGEST + len(share.tail)
    with running(tmp_path, web_workers="1") as service:
        service.client.get("/api/v1/me")  # what is loaded at the first request does not count
        with service.within(mebibytes=48, seconds=60):
            answer = service.client.post(
                CREATE,
                content=body(),
                headers={**share.headers, "Content-Length": str(size), "Expect": "100-continue"},
                timeout=60,
            )
        assert answer.status_code == 201, answer.text
        assert [
            path.stat().st_size for path in (service.data / "store" / "blobs").rglob("*") if path.is_file()
        ]
        (version,) = service.client.get(f"/api/v1/resources/{answer.json()['id']}").json()["versions"]
        assert version["size"] == _LARGEST
