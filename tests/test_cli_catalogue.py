"""``repo catalogue``: what operators type to publish and to mirror, and what they are told."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from repo_service.cli import main
from repo_service.services.catalogue_format import MANIFEST_NAME
from tests.contract.support import publish, sha256
from tests.services.test_mirroring import file, line, put, web
from tests.support.fake_ipfs import Network, cid_of
from tests.support.service import MakeService, Service
from tests.support.services import free_port

Repo = Callable[..., Result]


@pytest.fixture
def repo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, network: Network) -> Iterator[Repo]:
    """Type a command about a mirror; it has to succeed unless ``status`` says otherwise."""
    for name in list(os.environ):
        if name.startswith("REPO_"):
            monkeypatch.delenv(name)
    given = {"DATA_DIR": str(tmp_path / "mirror"), "STORE_URL": network.url("second"), "READ_ONLY": "true"}

    mask = os.umask(0o022)

    def run(*words: str, status: int = 0, **settings: str) -> Result:
        with monkeypatch.context() as patched:
            for name, value in {**given, **settings}.items():
                patched.setenv(f"REPO_{name}", value)
            result = CliRunner().invoke(main, ["catalogue", *words])
        assert result.exit_code == status, result.output
        assert "Traceback" not in result.output
        return result

    yield run
    os.umask(mask)


def test_publishing_and_listing(
    make_service: MakeService, tmp_path: Path, repo: Repo, network: Network
) -> None:
    hq = make_service(data_dir=tmp_path / "hq", replica_urls=(network.url("first"),))
    settings = {
        "DATA_DIR": str(tmp_path / "hq"),
        "STORE_URL": hq.settings.store_url,
        "REPLICA_URLS": network.url("first"),
        "READ_ONLY": "false",
    }
    assert "nothing new" in repo("publish", **settings).output
    publish(hq, hq.member())
    published = repo("publish", **settings).output
    [record] = hq.services.catalogue.snapshots()
    assert "1 resources are published" in published
    assert record.manifest.cid is not None
    assert record.manifest.cid in published
    assert "nothing new" in repo("publish", **settings).output
    listed = repo("list", **settings).output
    assert record.manifest.cid in listed
    assert record.manifest.digest in listed


@pytest.mark.parametrize(
    ("settings", "home"),
    [
        ({}, "http://127.0.0.1:8080"),
        ({"BASE_URL": "http://localhost:8080"}, "http://localhost:8080"),
        ({"BASE_URL": "http://[::1]:8080"}, "http://[::1]:8080"),
        ({"BASE_URL": "https://hq.example.org"}, None),
        ({"BASE_URL": "http://10.0.0.7:8080"}, None),
    ],
)
def test_a_home_that_nobody_can_reach_is_warned_of(
    make_service: MakeService, tmp_path: Path, repo: Repo, settings: dict[str, str], home: str | None
) -> None:
    hq = make_service(data_dir=tmp_path / "hq")
    publish(hq, hq.member())
    own = {"DATA_DIR": str(tmp_path / "hq"), "STORE_URL": "", "READ_ONLY": "false"}
    told = repo("publish", **own, **settings)
    assert "1 resources are published" in told.stdout
    if home is None:
        assert "WARNING" not in told.stderr
    else:
        assert f"WARNING: the catalogue names {home}" in told.stderr
        assert "REPO_BASE_URL" in told.stderr


def test_a_mirror_goes_with_its_home(repo: Repo, network: Network) -> None:
    repo("restore", put(network, []))
    service = {"name": "Headquarters", "url": "https://new.example"}
    cid = put(network, [], service=service, generated_at="2026-04-01T12:00:00Z")
    assert "--moved-from https://hq.example" in repo("restore", cid, status=1).output
    repo("restore", cid, "--moved-from", "https://hq.example")


def test_a_mirror_publishes_nothing(repo: Repo, network: Network) -> None:
    repo("restore", put(network, []))
    assert "mirror" in repo("publish", status=1).output


def test_restoring_and_again(repo: Repo, network: Network) -> None:
    network.put(b"Some file\n")
    cid = put(network, [line(1), line(2, license={"id": "https://evil.example"}), line(3, name="")])
    told = repo("restore", f"ipfs://{cid}")
    assert "3 resources of Headquarters as of 2026-03-01T12:00:00+00:00" in told.output
    assert "2 new, 0 changed, 0 withdrawn, 0 as before" in told.output
    assert "1 of 1 files were fetched" in told.output
    assert "1 lines are no resources" in told.stderr
    assert "line 3: it has no title" in told.stderr
    assert "1 values are in no vocabulary" in told.stderr
    assert "0 new, 0 changed, 0 withdrawn, 2 as before" in repo("restore", cid).output
    assert cid in repo("list").output


def test_a_download_leaves_room_free(repo: Repo, network: Network, tmp_path: Path) -> None:
    (tmp_path / MANIFEST_NAME).write_bytes(network.content[put(network, [])])
    with web(tmp_path) as url:
        told = repo("restore", f"{url}/{MANIFEST_NAME}", status=1, MIN_FREE_SPACE="1000000GiB")
    assert "too little room" in told.output


def test_that_the_network_is_asked_is_said_before(repo: Repo, network: Network, tmp_path: Path) -> None:
    """And for how long: it may be minutes in which nothing comes. What is here already is not looked for."""
    unknown = cid_of(b"unheard of")
    told = repo("restore", unknown, "--patience", "7", status=1)
    assert told.stderr.startswith(f"Asking other IPFS nodes for {unknown}, for 7 seconds at most")
    cid = put(network, [])
    assert "for 120 seconds at most" in repo("restore", f"ipfs://{cid}").stderr
    assert "Asking" not in repo("restore", cid).output
    assert "Asking" not in repo("restore", str(tmp_path / "manifest.json"), status=1).output


def test_a_node_that_is_down(make_service: MakeService, tmp_path: Path, repo: Repo) -> None:
    """It is said which store that is, and what to do; nothing of connections and pools."""
    port = free_port()
    hq = make_service(data_dir=tmp_path / "hq")
    publish(hq, hq.member())
    settings = {
        "DATA_DIR": str(tmp_path / "hq"),
        "STORE_URL": hq.settings.store_url,
        "REPLICA_URLS": f"ipfs+http://127.0.0.1:{port}?name=away",
        "READ_ONLY": "false",
    }
    told = repo("publish", status=1, **settings).output
    assert f"The store away says: no IPFS node answers at 127.0.0.1:{port}: it has to be started" in told
    assert "HTTPConnectionPool" not in told


def test_lazily(repo: Repo, network: Network) -> None:
    network.put(b"Some file\n")
    told = repo("restore", put(network, [line(1)]), "--lazy").output
    assert "were fetched" not in told
    assert cid_of(b"Some file\n") not in network.fetched


def test_what_nobody_gives_is_left_to_the_worker(
    repo: Repo, network: Network, make_service: MakeService, tmp_path: Path
) -> None:
    lines = [line(number, b"File %d\n" % number) for number in range(1, 10)]
    told = repo("restore", put(network, lines), status=1)
    assert "9 files did not come: the worker goes on" in told.output
    asked = [
        cid for cid in network.fetched if cid in {cid_of(b"File %d\n" % number) for number in range(1, 10)}
    ]
    assert len(asked) == 5  # after which the rest is not even tried
    for number in range(1, 10):
        network.put(b"File %d\n" % number)
    worker = mirror_of(make_service, tmp_path, network)
    worker.work()
    assert worker.services.fetching.lacking().files == 0


def test_files_of_other_bytes_are_told(repo: Repo, network: Network) -> None:
    network.put(b"Some file\n")
    lie = line(1, encoding=[file(b"Some file\n", sha256="ab" * 32)])
    told = repo("restore", put(network, [lie]))
    assert "0 of 1 files were fetched" in told.output
    assert "1 files are not what the catalogue says" in told.stderr


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"READ_ONLY": "false", "STORE_URL": ""}, "REPO_READ_ONLY"),
        ({"STORE_URL": ""}, "No IPFS node"),
    ],
)
def test_refusals_before_anything_is_fetched(
    repo: Repo, network: Network, settings: dict[str, str], reason: str
) -> None:
    cid = put(network, [line(1)])
    assert reason in repo("restore", cid, status=1, **settings).output
    assert network.fetched == []


def test_a_public_store_needs_the_setting(repo: Repo, network: Network) -> None:
    assert "is public" in repo("restore", cid_of(b"x"), status=1, READ_ONLY="false").output


@pytest.mark.parametrize(
    "reference", [cid_of(b"unheard of"), "/nowhere/manifest.json", "http://127.0.0.1:9/m"]
)
def test_what_is_not_there(repo: Repo, reference: str) -> None:
    assert repo("restore", reference, status=1).output.splitlines()[-1].startswith("Error: ")


def test_the_worker_of_a_mirror_keeps_it_searchable(
    repo: Repo, network: Network, make_service: MakeService, tmp_path: Path
) -> None:
    network.put(b"Some file\n")
    repo("restore", put(network, [line(1)]))
    mirror = mirror_of(make_service, tmp_path, network)
    mirror.work()
    [item] = mirror.client().get("/api/v1/resources?q=resource").get_json()["items"]
    assert item["versions"][0]["sha256"] == sha256(b"Some file\n")


def mirror_of(make_service: MakeService, folder: Path, network: Network) -> Service:
    """The service over what the commands made."""
    return make_service(data_dir=folder / "mirror", store_url=network.url("second"), read_only=True)
