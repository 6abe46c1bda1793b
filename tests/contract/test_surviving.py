"""The service is gone: what is public can still be had, from real IPFS nodes, by real processes."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from base64 import b64encode
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from storage import open_store
from tests.support.backups import backup
from tests.support.ipfs import Node, connected_nodes
from tests.support.running import Running, running, wait_for

_BIG = 3 * 1024 * 1024
"""Several blocks of IPFS."""


@dataclass(frozen=True)
class Left:
    """What is left of a home: two nodes, of which it used the first, and what its API told."""

    first: Node
    second: Node
    resources: dict[str, dict[str, Any]]
    content: dict[str, bytes]
    snapshots: list[dict[str, Any]]

    @property
    def newest(self) -> str:
        """CID of the newest manifest."""
        cid: str = self.snapshots[0]["manifest"]["cid"]
        return cid


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("surviving")
    with ExitStack() as stack:
        first, second = stack.enter_context(connected_nodes(folder))
        (folder / "hq").mkdir()
        settings: dict[str, Any] = {"replica_urls": first.store_url(), "site_name": "Headquarters"}
        content = {
            "course": backup(folder / "course.mbz", fullname="Limnology for beginners").read_bytes(),
            "big": os.urandom(_BIG),
        }
        with running(folder / "hq", **settings) as hq:
            resources = {
                "course": _share(hq, folder, "course.mbz", content["course"]),
                "big": _share(hq, folder, "big.bin", content["big"], title="Big one"),
                "draft": _share(
                    hq, folder, "draft.bin", b"Of a draft", title="Only a draft", release="false"
                ),
                "withdrawn": _share(hq, folder, "gone.bin", b"Of what is gone", title="Gone again"),
            }
            withdrawal = {"reason": "It was a mistake."}
            path = f"{resources['withdrawn']['api_url']}/withdraw"
            assert hq.client.post(path, json=withdrawal).status_code == 204
            for name in ("course", "big"):
                look = partial(_replicated, hq, resources[name])
                resources[name] = wait_for(look, "a copy in IPFS")
            _repo(folder / "hq", "catalogue", "publish", **settings)
            _repo(folder / "hq", "catalogue", "publish", **settings)  # the same again is no other
            snapshots = hq.client.get("/api/v1/catalogue").json()["items"]
            wait_for(lambda: not _waiting(hq), "the copies of the snapshot")
        with pytest.raises(httpx.ConnectError):  # it is gone
            httpx.get(resources["course"]["url"])
        yield Left(first, second, resources, content, snapshots)


def test_another_node_gets_a_resource_by_its_cid(left: Left) -> None:
    for name in ("course", "big"):
        [version] = left.resources[name]["versions"]
        [cid] = [copy["cid"] for copy in version["copies"] if copy["cid"] is not None]
        fetched = subprocess.run(
            [left.second.program, "cat", f"/ipfs/{cid}"],
            env=left.second.environment,
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        assert fetched == left.content[name]


def test_there_is_one_snapshot_and_nothing_private_in_it(left: Left) -> None:
    [snapshot] = left.snapshots
    assert snapshot["resources"] == 2
    files = [
        left.second.run("cat", f"/ipfs/{snapshot['manifest']['cid']}").encode(),
        subprocess.run(
            ["gzip", "-dc"],
            input=subprocess.run(
                [left.second.program, "cat", f"/ipfs/{snapshot['catalogue']['cid']}"],
                env=left.second.environment,
                capture_output=True,
                check=True,
                timeout=60,
            ).stdout,
            capture_output=True,
            check=True,
        ).stdout,
    ]
    assert b"Limnology for beginners" in files[1]
    for secret in ("Only a draft", "Gone again", "admin", "It was a mistake", "mrr_"):
        assert all(secret.encode() not in file for file in files), secret


def test_a_mirror_goes_on(left: Left, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"store_url": left.second.store_url("/mirror"), "read_only": "true"}
    told = _repo(tmp_path, "catalogue", "restore", left.newest, **settings)
    assert "2 resources of Headquarters" in told
    assert "2 new, 0 changed, 0 withdrawn, 0 as before" in told
    assert "2 of 2 files were fetched" in told
    left.first.stop()
    try:
        with running(tmp_path, **settings) as mirror:
            course = left.resources["course"]
            shown = wait_for(lambda: _found(mirror, "limnology"), "the search index", 60)
            assert [item["id"] for item in shown] == [course["id"]]
            here = mirror.settled(mirror.client.get(f"/api/v1/resources/{course['id']}").json())
            assert here["origin"] == course["url"]
            assert here["versions"][0]["kind"] == "course"
            page = mirror.client.get(f"/resources/{course['id']}")
            assert f'href="{course["url"]}"' in page.text
            assert "Headquarters" in page.text
            assert "What is inside" in page.text
            for name in ("course", "big"):
                [version] = mirror.client.get(f"/api/v1/resources/{left.resources[name]['id']}").json()[
                    "versions"
                ]
                download = mirror.client.get(version["download_url"])
                assert download.content == left.content[name]
                digest = hashlib.sha256(left.content[name])
                assert version["sha256"] == digest.hexdigest()
                assert download.headers["Repr-Digest"] == f"sha-256=:{b64encode(digest.digest()).decode()}:"
            for name in ("draft", "withdrawn"):
                assert mirror.client.get(f"/api/v1/resources/{left.resources[name]['id']}").status_code == 404
            refused = mirror.client.post("/api/v1/resources", json={})
            assert (refused.status_code, refused.json()["code"]) == (403, "read-only")
            assert refused.json()["home"] == left.resources["course"]["url"].partition("/resources/")[0]
            [snapshot] = mirror.client.get("/api/v1/catalogue").json()["items"]
            assert snapshot["manifest"]["cid"] == left.newest
    finally:
        left.first.start()
        peer = left.first.run("id", "--format=<id>")
        left.second.run("swarm", "connect", f"/ip4/127.0.0.1/tcp/{left.first.swarm_port}/p2p/{peer}")
    again = _repo(tmp_path, "catalogue", "restore", left.newest, **settings)
    assert "0 new, 0 changed, 0 withdrawn, 2 as before" in again
    listed = _repo(tmp_path, "catalogue", "list", **settings)
    assert left.newest in listed


def test_files_come_later_when_nobody_has_them_now(left: Left, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"store_url": left.second.store_url("/lazy"), "read_only": "true"}
    _repo(tmp_path, "catalogue", "restore", left.newest, "--lazy", **settings)
    with running(tmp_path, **settings) as mirror:
        [version] = mirror.client.get(f"/api/v1/resources/{left.resources['big']['id']}").json()["versions"]
        assert [copy["state"] for copy in version["copies"]] == ["remote"]
        refused = mirror.client.get(version["download_url"])
        assert (refused.status_code, refused.json()["code"]) == (503, "not-fetched")

        def came() -> bytes | None:
            response = mirror.client.get(version["download_url"])
            return response.content if response.is_success else None

        assert wait_for(came, "the file from the other node", 60) == left.content["big"]


def test_a_cid_of_something_else_is_refused_in_time(left: Left, tmp_path: Path) -> None:
    [version] = left.resources["big"]["versions"]
    [cid] = [copy["cid"] for copy in version["copies"] if copy["cid"] is not None]
    settings: dict[str, Any] = {"store_url": left.second.store_url("/wrong"), "read_only": "true"}
    for reference in (cid, left.snapshots[0]["catalogue"]["cid"], f"ipfs://{cid[:-1]}q"):
        told = _repo(tmp_path, "catalogue", "restore", reference, "--patience", "5", fails=True, **settings)
        assert told.splitlines()[-1].startswith("Error: "), told
        assert "Traceback" not in told
    assert list(open_store(settings["store_url"]).iter()) == []


def _share(hq: Running, folder: Path, name: str, data: bytes, **metadata: str) -> dict[str, Any]:
    path = folder / name
    path.write_bytes(data)
    release = metadata.pop("release", "true")
    title = "".join(f', "title": "{title}"' for title in metadata.values())
    sent = hq.send(path, metadata=f'{{"licence": "CC-BY-4.0", "release": {release}{title}}}')
    assert sent.status_code == 201, sent.text
    return hq.settled(sent.json())


def _replicated(hq: Running, resource: dict[str, Any]) -> dict[str, Any] | None:
    found: dict[str, Any] = hq.client.get(resource["api_url"]).json()
    copies = [copy for version in found["versions"] for copy in version["copies"]]
    return found if any(copy["cid"] and copy["state"] == "present" for copy in copies) else None


def _waiting(hq: Running) -> bool:
    """Whether the snapshot's files are not in IPFS yet."""
    items = hq.client.get("/api/v1/catalogue").json()["items"]
    return any(item[name]["cid"] is None for item in items for name in ("manifest", "catalogue"))


def _found(mirror: Running, words: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = mirror.client.get("/api/v1/resources", params={"q": words}).json()["items"]
    return items


def _repo(folder: Path, *arguments: str, fails: bool = False, **settings: str) -> str:
    """What a command of ``repo`` says, about the service in ``folder``."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REPO_")}
    given = {"data_dir": str(folder / "var"), **settings}
    if (folder / "out").exists():  # what runs there has its own address
        found = re.search(r"http://127\.0\.0\.1:\d+", (folder / "out").read_text())
        assert found is not None
        given["base_url"] = found[0]
    environment |= {f"REPO_{name.upper()}": value for name, value in given.items()}
    done = subprocess.run(
        [sys.executable, "-m", "repo_service", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert bool(done.returncode) == fails, done.stdout + done.stderr
    return done.stderr if fails else done.stdout
