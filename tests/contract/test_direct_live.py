"""Direct uploads in the processes of ``repo run``: a worker that is killed while it verifies loses none."""

from __future__ import annotations

import json
import os
import random
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.support import sha256
from tests.support import hostile
from tests.support.direct import UPLOADS, bucket_settings
from tests.support.running import Running, running, wait_for
from tests.support.weed import Weed

_MIB = 1024 * 1024
_PAGE = Path(__file__).resolve().parents[2] / "docs" / "direct-uploads.md"


@pytest.fixture
def repository(tmp_path: Path, weed: Weed) -> Iterator[Running]:
    with running(tmp_path, web_workers="1", job_lease="PT1S", **bucket_settings(weed)) as service:
        yield service


def _send(service: Running, data: bytes, **given: Any) -> Any:
    """Announce, send, complete: over sockets, the parts with nothing but their URLs."""
    said = {"file_name": "course.mbz", "size": len(data), **given}
    begun = service.client.post(f"{UPLOADS}/direct", json=said)
    assert begun.status_code == 201, begun.text
    upload = begun.json()
    page = service.client.get(upload["parts_url"], params={"limit": 1000}).json()
    for part in page["items"]:
        start = (part["number"] - 1) * page["part_size"]
        httpx.put(part["url"], content=data[start : start + part["size"]], timeout=60).raise_for_status()
    completed = service.client.post(upload["complete_url"])
    assert (completed.status_code, completed.json()["state"]) == (202, "verifying"), completed.text
    return upload


def _ended(service: Running, upload: Any) -> Any:
    def look() -> Any:
        found = service.client.get(upload["url"]).json()
        return found if found["state"] in ("finished", "failed") else None

    return wait_for(look, "the end of the verification", 90)


def _is_attempt(service: Running, number: int) -> bool:
    """Whether the verification runs now, for the ``number``-th time."""
    with closing(sqlite3.connect(f"file:{service.data / 'repo.db'}?mode=ro", uri=True)) as database:
        asked = "SELECT attempts FROM jobs WHERE kind = 'verify' AND state = 'running'"
        found = database.execute(asked).fetchone()
    return bool(found == (number,))


def test_a_worker_killed_while_it_verifies_loses_no_upload(repository: Running, tmp_path: Path) -> None:
    """Not even by a file that kills it each time it looks inside: in the end it is verified without that."""
    data = hostile.targz_with_many_entries(tmp_path / "slow.mbz", 400_000).read_bytes()
    upload = _send(repository, data, sha256=sha256(data))
    for attempt in (1, 2):
        wait_for(partial(_is_attempt, repository, attempt), f"attempt {attempt}", 60)
        repository.worker().kill()
    finished = _ended(repository, upload)
    assert (finished["state"], finished["sha256"]) == ("finished", sha256(data))
    assert repository.rows()["blobs"] == repository.rows()["blob_locations"] == 1

    made = repository.client.post("/api/v1/resources", json={"upload": upload["id"]})
    resource = repository.settled(made.json(), seconds=90)
    assert resource["versions"][0]["kind"] == "course"
    link = repository.client.get(resource["versions"][0]["download_url"])
    assert link.status_code == 302
    assert httpx.get(link.headers["Location"], timeout=60).content == data


def test_the_lines_of_the_documentation(repository: Running, tmp_path: Path) -> None:
    """Pasted into a shell, and once more after the line broke in the middle."""
    file = tmp_path / "course.mbz"
    file.write_bytes(random.Random(2).randbytes(9 * _MIB))
    blocks = re.findall(r"^```sh\n(.*?)^```", _PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (variables,) = (block for block in blocks if "mrr_…" in block)
    begin, send, use = (block for block in blocks if block is not variables)
    assert set(re.findall(r"([A-Z]+)=", variables)) == {"SERVICE", "TOKEN", "FILE"}
    broken = send.replace('\' "$PAGE" |', '\' "$PAGE" | sed --quiet 1p |')
    assert broken != send
    missing = 'api "$UPLOAD/parts" | grep --only-matching \'"etag":null\' | wc --lines >&2\n'
    done = subprocess.run(
        ["bash", "-euc", "\n".join([begin, broken, missing, send, missing, use])],
        env={
            **os.environ,
            "SERVICE": f"http://127.0.0.1:{repository.port}",
            "TOKEN": repository.token,
            "FILE": str(file),
        },
        check=True,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.stderr.splitlines() == ["1", "0"]
    assert "exit" not in begin + send + use, "it would close the terminal"
    version = json.loads(done.stdout)["versions"][0]
    assert (version["file_name"], version["sha256"]) == ("course.mbz", sha256(file.read_bytes()))


def test_memory_does_not_grow_with_the_file(repository: Running) -> None:
    """Neither that of the web processes, which see no byte, nor the worker's."""
    _ended(repository, _send(repository, bytes(1000)))
    data = random.Random(1).randbytes(120 * _MIB)
    with repository.within(mebibytes=48, seconds=60):
        upload = _send(repository, data)
        assert _ended(repository, upload)["sha256"] == sha256(data)


def test_tags_in_a_chunked_body_count(repository: Running) -> None:
    """It announces no length, and says something all the same."""
    data = b"notes about rivers\n"
    begun = repository.client.post(f"{UPLOADS}/direct", json={"file_name": "notes.txt", "size": len(data)})
    upload = begun.json()
    [part] = repository.client.get(upload["parts_url"]).json()["items"]
    sent = httpx.put(part["url"], content=data).raise_for_status()

    def complete(etag: str) -> httpx.Response:
        body = json.dumps({"parts": [{"number": 1, "etag": etag}]}).encode()
        return repository.client.post(
            upload["complete_url"], content=iter([body]), headers={"Content-Type": "application/json"}
        )

    refused = complete("0" * 32)
    assert (refused.status_code, refused.json()["code"]) == (409, "parts-missing")
    assert complete(sent.headers["ETag"]).status_code == 202
    assert _ended(repository, upload)["sha256"] == sha256(data)
