"""The shares that were recorded from a real Moodle, with the packages that it really sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.contract.support import sha256
from tests.moodle_plugin_bridge.moodle import CREATE, Share
from tests.support.corpus import shared_folder
from tests.support.service import Service, json_of

_PACKAGE = re.compile(rb"<[0-9]+ bytes, sha256 ([0-9a-f]{64})[^>]*>")


@dataclass(frozen=True)
class Recorded:
    """One request: its headers, and its body with the package in its place again."""

    headers: dict[str, str]
    body: bytes
    package: bytes


def _recorded() -> Iterator[object]:
    """Those whose package is in the corpus."""
    folder = shared_folder()
    if folder is None:
        yield pytest.param(None, marks=pytest.mark.skip("no recorded requests beside the project"))
        return
    packages = {sha256(path.read_bytes()): path for path in (folder / "corpus/sent-by-moodle").iterdir()}
    for path in sorted((folder / "wire").glob("*-share-create.txt")):
        asked = path.read_bytes().partition(b"\n\n<<< RESPONSE")[0]
        head, _, body = asked.partition(b"\n\n")
        noted = _PACKAGE.search(body)
        if noted is None or (package := packages.get(noted[1].decode())) is None:
            continue
        lines = (line.decode() for line in head.split(b"\n")[3:])  # below the notes and the request line
        sent = body.rstrip(b"\r\n").replace(noted[0], package.read_bytes()) + b"\r\n"
        headers = dict(line.split(": ", 1) for line in lines)
        yield pytest.param(Recorded(headers, sent, package.read_bytes()), id=path.stem)


@pytest.mark.parametrize("recorded", list(_recorded()))
def test_a_recorded_share_becomes_a_draft(service: Service, recorded: Recorded) -> None:
    assert len(recorded.body) == int(recorded.headers["Content-Length"])
    headers = {**recorded.headers, "Authorization": f"Bearer {service.token('teacher')}"}
    del headers["Host"]
    answer = service.client().post(CREATE, data=recorded.body, headers=headers)
    made = json_of(answer, 201)
    assert made["homepage"] == f"{service.settings.base_url}/resources/{made['id']}/finish"
    service.work()
    token = headers["Authorization"].partition(" ")[2]
    draft = json_of(service.client(token).get(f"/api/v1/resources/{made['id']}"))
    assert draft["versions"][0]["sha256"] == sha256(recorded.package)
    assert draft["versions"][0]["processing"]["state"] == "done"
    assert "\n" not in made["description"]


@pytest.mark.parametrize("recorded", list(_recorded()))
def test_the_shares_of_the_other_tests_are_framed_the_same(recorded: Recorded) -> None:
    """To the byte, so that they stand for real ones where there is no corpus."""
    said = json.loads(recorded.body.split(b"\r\n\r\n", 2)[1].partition(b"\r\n")[0])
    boundary = recorded.headers["Content-Type"].partition("boundary=")[2]
    name = re.search(rb'filename="([^"]*)"', recorded.body)
    assert name is not None
    share = Share.of(recorded.package, said["name"], said["description"], name[1].decode())
    made = Share(content=share.content, file_name=share.file_name, said=share.said, boundary=boundary)
    assert made.body == recorded.body
