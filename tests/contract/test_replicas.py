"""Replicas as the outside sees them: what is told of the copies, and downloads whatever a store does."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from repo_service.domain.resources import LocationState
from repo_service.models import BlobLocation
from repo_service.models.base import now
from storage import CHUNK_SIZE, StorageUnavailable
from tests.contract.support import DRAFT_BYTES, path_of, problem_of, publish, sha256, share
from tests.support.copies import flip, locator, lose, states, there
from tests.support.ipfs import Node, running_node
from tests.support.running import running, wait_for
from tests.support.service import MakeService, Service, json_of
from tests.support.weed import Weed, running_weed
from tests.web.visitor import Visitor


@pytest.fixture
def replicated(make_service: MakeService, tmp_path: Path) -> Service:
    """A service on disk with a replica on another, and one that anybody can read."""
    return make_service(
        replica_urls=(f"{(tmp_path / 'backup').as_uri()}?name=backup", "memory:?name=net&public=true")
    )


# What is told


def test_the_api_tells_where_the_copies_are(replicated: Service) -> None:
    """And when each was last looked at; what the stores call them is nobody's business."""
    teacher, before = replicated.member(), now()
    resource = publish(replicated, teacher)
    replicated.work()
    (version,) = json_of(replicated.client().get(path_of(resource["api_url"])))["versions"]
    assert [(copy["store"], copy["state"], copy["cid"], copy["url"]) for copy in version["copies"]] == [
        ("file", "present", None, None),
        ("backup", "present", None, None),
        ("net", "present", None, None),
    ]
    assert all(copy["verified_at"] >= before.isoformat()[:19] for copy in version["copies"])
    draft = share(teacher, b"draft")
    assert [copy["store"] for copy in draft["versions"][0]["copies"]] == ["file"]
    replicated.work()
    (mine, _) = json_of(teacher.get("/api/v1/me/resources"))["items"]
    assert [copy["store"] for copy in mine["versions"][0]["copies"]] == ["file", "backup"]
    flip(replicated.services, sha256(DRAFT_BYTES), "backup")
    assert [found.state for found in replicated.services.verifier.verify()] == [LocationState.CORRUPT]
    (version,) = json_of(replicated.client().get(path_of(resource["api_url"])))["versions"]
    assert version["copies"][1]["state"] == "corrupt"


def test_a_search_does_not_tell_of_copies(replicated: Service) -> None:
    """A page of hits asks no more of the database than before."""
    publish(replicated, replicated.member())
    (item,) = json_of(replicated.client().get("/api/v1/resources"))["items"]
    assert "copies" not in item["versions"][0]
    assert item["versions"][0]["sha256"] == sha256(DRAFT_BYTES)


def test_copies_in_stores_that_are_not_configured_are_not_told_of(replicated: Service) -> None:
    """They are of no use to anybody."""
    resource = publish(replicated, replicated.member())
    replicated.work()
    with replicated.services.database.write() as session:
        session.execute(
            update(BlobLocation)
            .where(BlobLocation.store == "backup")
            .values(store="former", verified_at=now())
        )
    (version,) = json_of(replicated.client().get(path_of(resource["api_url"])))["versions"]
    assert [copy["store"] for copy in version["copies"]] == ["file", "net"]
    assert replicated.client().get(path_of(version["download_url"])).data == DRAFT_BYTES


def test_the_entity_tag_covers_the_copies(any_service: Service) -> None:
    """A client that asks again learns of a copy that was checked since; an edit is not refused for that."""
    teacher, public = any_service.member(), any_service.client()
    url = path_of(publish(any_service, teacher)["api_url"])
    first = public.get(url)
    own = teacher.get(url).headers["ETag"]
    tag = first.headers["ETag"]
    assert public.get(url, headers={"If-None-Match": tag}).status_code == 304
    assert list(any_service.services.verifier.verify()) == []
    second = public.get(url, headers={"If-None-Match": tag})
    assert second.status_code == 200
    assert second.headers["ETag"] != tag
    assert public.get(url, headers={"If-None-Match": second.headers["ETag"]}).status_code == 304
    assert teacher.get(url, headers={"If-None-Match": own}).status_code == 200
    changed = teacher.patch(url, json={"keywords": ["a"]}, headers={"If-Match": own})
    assert changed.status_code == 200
    problem_of(teacher.patch(url, json={"keywords": ["b"]}, headers={"If-Match": own}), "precondition-failed")


def test_the_page_tells_it_in_words(replicated: Service) -> None:
    """For every copy; what is wrong with one is said, too."""
    resource = publish(replicated, replicated.member())
    replicated.work()
    page = Visitor(replicated).get(f"/resources/{resource['id']}")
    told = [" ".join(item.text_content().split()) for item in page.all("//ul[@class='copies']/li")]
    day = now().strftime("%-d %B %Y")
    assert told == [f"{name} checked on {day}: whole" for name in ("file", "backup", "net")]
    lose(replicated.services, sha256(DRAFT_BYTES), "backup")
    flip(replicated.services, sha256(DRAFT_BYTES), "net")
    assert len(list(replicated.services.verifier.verify())) == 2
    with replicated.services.database.write() as session:
        session.execute(update(BlobLocation).where(BlobLocation.store == "file").values(verified_at=None))
    page = Visitor(replicated).get(f"/resources/{resource['id']}")
    told = [" ".join(item.text_content().split()) for item in page.all("//ul[@class='copies']/li")]
    assert told == [
        "file not checked yet",
        f"backup checked on {day}: missing, it is being replaced",
        f"net checked on {day}: damaged, it is being replaced",
    ]


def test_readiness_names_a_replica_that_fails(replicated: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service is ready without it, and does not wait for one that hangs."""
    public = replicated.client()
    assert json_of(public.get("/readyz"))["replicas"] == {"backup": True, "net": True}

    def fail() -> None:
        raise StorageUnavailable("/srv/secret is not mounted")

    hanging = 3.0
    monkeypatch.setattr(replicated.services.health._replicas["backup"], "_check", fail)
    monkeypatch.setattr(replicated.services.health._replicas["net"], "_check", lambda: time.sleep(hanging))
    begun = time.monotonic()
    answer = public.get("/readyz")
    assert time.monotonic() - begun < hanging
    assert answer.status_code == 200
    assert answer.get_json()["replicas"] == {"backup": False, "net": False}
    assert answer.get_json()["ready"] is True
    assert "secret" not in answer.text
    time.sleep(hanging - 1)
    monkeypatch.undo()


def test_a_copy_in_ipfs_has_an_address_of_its_own(kubo: Node, make_service: MakeService) -> None:
    """A real node gets what is released, under the CID that is told; what is withdrawn is unlinked there."""
    root = f"/{secrets.token_hex(8)}"
    service = make_service(replica_urls=(kubo.store_url(root),))
    teacher = service.member()
    draft = share(teacher, b"draft")
    resource = publish(service, teacher)
    service.work()
    (version,) = json_of(service.client().get(path_of(resource["api_url"])))["versions"]
    at_home, in_ipfs = version["copies"]
    assert (at_home["store"], at_home["cid"], at_home["url"]) == ("file", None, None)
    cid = in_ipfs["cid"]
    assert (in_ipfs["store"], in_ipfs["state"], in_ipfs["url"]) == ("ipfs", "present", f"ipfs://{cid}")
    assert kubo.run("cat", cid) == DRAFT_BYTES.decode().strip()
    page = Visitor(service).get(f"/resources/{resource['id']}")
    assert page.links()[f"ipfs://{cid}"] == f"ipfs://{cid}"
    own = json_of(teacher.get(path_of(draft["api_url"])))["versions"][0]
    assert [copy["store"] for copy in own["copies"]] == ["file"]

    lose(service.services, sha256(DRAFT_BYTES), "file")
    assert service.client().get(path_of(version["download_url"])).data == DRAFT_BYTES
    service.work()
    assert there(service.services, sha256(DRAFT_BYTES), "file") == DRAFT_BYTES
    withdrawn = teacher.post(f"{path_of(resource['api_url'])}/withdraw", json={"reason": "Old."})
    assert withdrawn.status_code == 204
    service.work()
    assert list(service.services.stores["ipfs"].iter()) == []
    assert states(service.services, sha256(DRAFT_BYTES)) == {"file": "present"}


def test_a_damaged_copy_in_ipfs_is_put_right(lonely_node: Node, make_service: MakeService) -> None:
    """The node keeps what it has, right or wrong, until it has been told to remove it: one job does both."""
    service = make_service(replica_urls=(lonely_node.store_url(),))
    publish(service, service.member())
    service.work()
    digest = sha256(DRAFT_BYTES)
    block = lonely_node.block_file(locator(service.services, digest, "ipfs"))
    block.write_bytes(DRAFT_BYTES.upper())
    assert [found.store for found in service.services.verifier.verify()] == ["ipfs"]
    service.work()
    assert states(service.services, digest) == {"file": "present", "ipfs": "present"}
    assert there(service.services, digest, "ipfs") == DRAFT_BYTES


@pytest.fixture(scope="module", params=[True, False], ids=["hash-on-read", "plain"])
def node(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """As docs/ipfs.md says it should be set up, and as Kubo is by itself. Tests take a root of their own."""
    folder = tmp_path_factory.mktemp("kubo")
    with running_node(folder, Datastore__HashOnRead=request.param) as node:
        yield node


class TestDamageInIpfs:
    """Two bytes of some blocks of the node are others; the primary is good, and one repair is enough."""

    @pytest.fixture
    def root(self) -> str:
        return f"/test/{secrets.token_hex(8)}"

    @pytest.fixture
    def service(self, node: Node, make_service: MakeService, root: str) -> Service:
        return make_service(replica_urls=(node.store_url(root),))

    @pytest.mark.parametrize("places", [("3",), ("0", "3", "6"), ("",)], ids=["leaf", "leaves", "root"])
    def test_of_one_level(self, node: Node, service: Service, root: str, places: tuple[str, ...]) -> None:
        self._is_repaired(node, service, root, 7, places)

    @pytest.mark.parametrize(
        "places",
        [("0/5",), ("0",), ("1",), ("1", "0/173", "1/0"), ("",)],
        ids=["leaf", "inner", "last inner", "all levels", "root"],
    )
    def test_of_two_levels(self, node: Node, service: Service, root: str, places: tuple[str, ...]) -> None:
        self._is_repaired(node, service, root, 176, places)

    def test_each_below_another_damaged_one(self, node: Node, service: Service, root: str) -> None:
        """What is damaged below a block that is damaged itself is seen only when that was replaced."""
        self._is_repaired(node, service, root, 176, ("", "0", "0/3"))

    def test_of_two_files(self, node: Node, service: Service, root: str) -> None:
        """While an inner node of one is damaged, the node keeps all blocks of the other."""
        teacher = service.member()
        files = [secrets.token_bytes(count * CHUNK_SIZE) for count in (3, 176)]
        for data in files:
            self._publish(service, teacher, data)
        cids = [locator(service.services, sha256(data), "ipfs") for data in files]
        _damage(node, _block_at(node, cids[0], "1"))
        _damage(node, _block_at(node, cids[1], "0"))
        assert len(list(service.services.verifier.verify())) == 2
        for _ in range(2):
            for data in files:
                service.services.replicator.see_to(sha256(data))
        for data, cid in zip(files, cids, strict=True):
            self._is_right(node, service, root, data, cid)

    @pytest.mark.parametrize(("first", "second"), [(2, 3), (3, 2)])
    def test_while_the_primary_is_damaged_elsewhere(
        self, node: Node, service: Service, root: str, first: int, second: int
    ) -> None:
        """Every byte is somewhere: both are made whole from each other."""
        data = secrets.token_bytes(7 * CHUNK_SIZE)
        digest = sha256(data)
        self._publish(service, service.member(), data)
        cid = locator(service.services, digest, "ipfs")
        _damage(node, _block_at(node, cid, str(second)))
        flip(service.services, digest, "file", at=first * CHUNK_SIZE + 5)
        assert {copy.store for copy in service.services.verifier.verify()} == {"file", "ipfs"}
        service.services.replicator.see_to(digest)
        assert there(service.services, digest, "file") == data
        self._is_right(node, service, root, data, cid)

    def test_that_two_files_share(self, node: Node, service: Service, root: str) -> None:
        """A block stays as long as anything pins it. What another's repair puts right is pinned, too."""
        teacher = service.member()
        shared = secrets.token_bytes(CHUNK_SIZE)
        files = [shared + secrets.token_bytes(CHUNK_SIZE) for _ in range(2)]
        for data in files:
            self._publish(service, teacher, data)
        cids = [locator(service.services, sha256(data), "ipfs") for data in files]
        _damage(node, _block_at(node, cids[0], "0"))
        for _ in range(2):
            for found in list(service.services.verifier.verify()):
                service.services.replicator.see_to(found.digest)
        service.services.stores["ipfs"].sweep_staged(older_than=timedelta(hours=1))
        for data, cid in zip(files, cids, strict=True):
            self._is_right(node, service, root, data, cid)

    def _is_repaired(
        self, node: Node, service: Service, root: str, chunks: int, places: tuple[str, ...]
    ) -> None:
        data = secrets.token_bytes(chunks * CHUNK_SIZE - 1)
        self._publish(service, service.member(), data)
        digest = sha256(data)
        cid = locator(service.services, digest, "ipfs")
        for block in [_block_at(node, cid, place) for place in places]:
            _damage(node, block)
        assert [copy.store for copy in service.services.verifier.verify()] == ["ipfs"]
        service.services.replicator.see_to(digest)
        self._is_right(node, service, root, data, cid)
        assert states(service.services, digest) == {"file": "present", "ipfs": "present"}

    @staticmethod
    def _publish(service: Service, client: FlaskClient, data: bytes) -> None:
        given = {"file_name": "data.bin", "size": len(data)}
        begun = json_of(client.post("/api/v1/uploads", json=given), 201)
        json_of(client.put(path_of(begun["url"]), data=data))
        described = {"upload": begun["id"], "licence": "CC-BY-4.0", "release": True}
        json_of(client.post("/api/v1/resources", json=described), 201)
        service.work()

    @staticmethod
    def _is_right(node: Node, service: Service, root: str, data: bytes, cid: str) -> None:
        assert there(service.services, sha256(data), "ipfs") == data
        assert f"{cid} recursive moodle-resources {root} blob" in node.run("pin", "ls", "--names", cid)
        path = f"{root}/blobs/{cid[-3]}/{cid[-2]}/{cid}"
        assert node.run("files", "stat", "--hash", path) == cid
        assert node.run("pin", "verify", "--quiet") == ""


def _block_at(node: Node, cid: str, place: str) -> str:
    """The block that ``place`` leads to: ``0/3`` is the fourth child of the first."""
    for number in place.split("/") if place else []:
        cid = node.run("refs", cid).split()[int(number)]
    return cid


def _damage(node: Node, cid: str) -> None:
    """Overwrite two bytes in the middle of a block."""
    file = node.block_file(cid)
    data = bytearray(file.read_bytes())
    for at in (len(data) // 2, len(data) // 2 + 1):
        data[at] ^= 0xFF
    file.write_bytes(data)


# Downloads that somebody else gives out


def test_s3_gives_out_only_what_it_has(weed: Weed, make_service: MakeService, tmp_path: Path) -> None:
    """A redirect to nothing helps nobody: the other copy is sent from here instead."""
    service = make_service(
        store_url=weed.store_url(
            weed.shared_bucket, prefix="replicated", public_endpoint_url=weed.endpoint_url
        ),
        store_access_key=weed.access_key,
        store_secret_key=weed.secret_key,
        replica_urls=((tmp_path / "second").as_uri(),),
        accel_redirect="/_blobs",
    )
    resource = publish(service, service.member())
    service.work()
    address = path_of(resource["versions"][0]["download_url"])
    got = service.client().get(address)
    assert got.status_code == 302
    with urlopen(got.headers["Location"], timeout=20) as answer:
        assert answer.read() == DRAFT_BYTES
    digest = sha256(DRAFT_BYTES)
    lose(service.services, digest, "s3")
    got = service.client().get(address)
    assert (got.status_code, got.data) == (200, DRAFT_BYTES)
    assert "X-Accel-Redirect" not in got.headers, "the front server knows the primary's folder only"
    assert states(service.services, digest) == {"s3": "missing", "file": "present"}
    service.work()
    assert service.client().get(address).status_code == 302


def test_a_front_server_is_sent_to_what_is_there(make_service: MakeService, tmp_path: Path) -> None:
    """As the file store says, right before; without a choice nobody asks it."""
    service = make_service(
        accel_redirect="/_blobs", replica_urls=(f"{(tmp_path / 'second').as_uri()}?name=second",)
    )
    address = path_of(publish(service, service.member())["versions"][0]["download_url"])
    service.work()
    assert "X-Accel-Redirect" in service.client().get(address).headers
    lose(service.services, sha256(DRAFT_BYTES), "file")
    got = service.client().get(address)
    assert (got.status_code, got.data) == (200, DRAFT_BYTES)
    service.work()
    assert "X-Accel-Redirect" in service.client().get(address).headers


# A store that is really gone


def test_downloads_go_on_while_the_primary_is_down(
    make_service: MakeService, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """A real S3 server is stopped: the replica on disk answers, and nothing is declared lost."""
    with ExitStack() as stack:
        weed = stack.enter_context(running_weed(tmp_path_factory.mktemp("stopped")))
        service = make_service(
            store_url=weed.store_url(weed.make_bucket()),
            store_access_key=weed.access_key,
            store_secret_key=weed.secret_key,
            replica_urls=((tmp_path / "second").as_uri(),),
        )
        teacher = service.member()
        content = bytes(range(256)) * 4000
        begun = json_of(
            teacher.post("/api/v1/uploads", json={"file_name": "a.bin", "size": len(content)}), 201
        )
        json_of(teacher.put(path_of(begun["url"]), data=content))
        described = {"upload": begun["id"], "licence": "CC-BY-4.0", "release": True}
        resource = json_of(teacher.post("/api/v1/resources", json=described), 201)
        service.work()
        address = path_of(resource["versions"][0]["download_url"])
        assert service.client().get(address).data == content
        stack.close()  # the server is gone now

        assert service.client().get(address).data == content
        begin = time.monotonic()
        for _ in range(5):
            ranged = service.client().get(address, headers={"Range": "bytes=1000-1999"})
            assert (ranged.status_code, ranged.data) == (206, content[1000:2000])
        assert time.monotonic() - begin < 2, "its time-outs are paid once"
        ready = service.client().get("/readyz")
        assert (ready.status_code, ready.get_json()["parts"]["store"]) == (503, False)
        found = {(copy.store, copy.state) for copy in service.services.verifier.verify()}
        assert found == {("s3", None)}
        assert states(service.services, sha256(content)) == {"s3": "present", "file": "present"}
        assert there(service.services, sha256(content), "file") == content
        upload: dict[str, Any] = {"file_name": "b.txt", "size": 3}
        begun = json_of(teacher.post("/api/v1/uploads", json=upload), 201)
        problem_of(teacher.put(path_of(begun["url"]), data=b"abc"), "storage-unavailable")


def test_bit_rot_in_the_processes_of_repo_run(tmp_path: Path) -> None:
    """The worker makes the copy; a byte that flips on the first disk reaches nobody, and is put right."""
    second = tmp_path / "second"
    content = bytes(range(256)) * 4000
    digest = sha256(content)
    (tmp_path / "data.bin").write_bytes(content)
    with running(tmp_path, replica_urls=f"{second.as_uri()}?name=second", min_free_space="0") as service:
        metadata = '{"licence": "CC0-1.0", "release": true}'
        resource = service.settled(service.send(tmp_path / "data.bin", metadata=metadata).json())
        (home,) = (service.data / "store" / "blobs").rglob(digest)

        def both_are_present() -> bool:
            version = service.client.get(resource["api_url"]).json()["versions"][0]
            return [copy["state"] for copy in version["copies"]] == ["present", "present"]

        wait_for(both_are_present, "the word of the copy")  # the file is there a moment before it
        assert list((second / "blobs").rglob(digest))
        flipped = bytearray(content)
        flipped[600_000] ^= 1
        home.write_bytes(bytes(flipped))
        url = resource["versions"][0]["download_url"]
        got = service.client.get(url)
        assert (got.status_code, got.content) == (200, content)
        wait_for(lambda: home.read_bytes() == content, "the repair")
        wait_for(both_are_present, "the word of it")
