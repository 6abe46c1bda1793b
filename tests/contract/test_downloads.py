"""Downloads: the same bytes, by any part, to whoever may have them, and harmless in a browser."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from urllib.request import urlopen

import pytest

from repo_service.domain.identity import Role
from repo_service.models.base import now
from storage import StorageUnavailable
from storage.checked import CheckedStore
from tests.contract.support import (
    DRAFT_BYTES,
    path_of,
    problem_of,
    publish,
    published,
    sha256,
    share,
    store_of,
)
from tests.support.service import MakeService, Service, json_of
from tests.support.weed import Weed

_DATA = bytes(range(256)) * 40
_SIZE = len(_DATA)


def _address(resource: Any, number: int = -1) -> str:
    return path_of(resource["versions"][number]["download_url"])


@pytest.fixture
def url(any_service: Service) -> str:
    """Where a public file of 10,240 bytes is."""
    return _address(publish(any_service, any_service.member(), _DATA, file_name="data.bin"))


def test_get_and_head_say_the_same(any_service: Service, url: str) -> None:
    """Every header, Content-Length and digest among them; HEAD without the bytes."""
    public = any_service.client()
    got, head = public.get(url), public.head(url)
    assert got.data == _DATA
    assert head.data == b""
    assert got.status_code == head.status_code == 200

    def telling(response: Any) -> dict[str, str]:
        return {name: value for name, value in response.headers.items() if name != "X-Request-ID"}

    assert telling(got) == telling(head)
    assert got.headers["Content-Length"] == str(_SIZE)
    assert got.headers["ETag"] == f'"{sha256(_DATA)}"'
    digest = base64.b64encode(hashlib.sha256(_DATA).digest()).decode()
    assert got.headers["Repr-Digest"] == f"sha-256=:{digest}:"
    assert got.headers["Accept-Ranges"] == "bytes"
    assert got.headers["Cache-Control"] == "public, no-cache"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=10000-", 10000, _SIZE),
        ("bytes=-5", _SIZE - 5, _SIZE),
        ("bytes=10000-99999999", 10000, _SIZE),
    ],
)
def test_a_range(any_service: Service, url: str, asked: str, start: int, end: int) -> None:
    """Those bytes and no more."""
    got = any_service.client().get(url, headers={"Range": asked})
    assert (got.status_code, got.data) == (206, _DATA[start:end])
    assert got.headers["Content-Range"] == f"bytes {start}-{end - 1}/{_SIZE}"
    assert got.headers["Content-Length"] == str(end - start)


def test_several_ranges(any_service: Service, url: str) -> None:
    """As multipart/byteranges, with the right length."""
    got = any_service.client().get(url, headers={"Range": "bytes=0-9,5000-5009"})
    assert got.status_code == 206
    assert got.mimetype == "multipart/byteranges"
    assert got.headers["Content-Length"] == str(len(got.data))
    assert _DATA[:10] in got.data
    assert _DATA[5000:5010] in got.data
    assert f"bytes 5000-5009/{_SIZE}".encode() in got.data


def test_conditions(any_service: Service, url: str) -> None:
    """304, 412, 416 and If-Range."""
    public = any_service.client()
    etag = public.head(url).headers["ETag"]
    not_modified = public.get(url, headers={"If-None-Match": etag})
    assert (not_modified.status_code, not_modified.data) == (304, b"")
    assert public.head(url, headers={"If-None-Match": f"W/{etag}"}).status_code == 304
    assert public.get(url, headers={"If-None-Match": '"x"'}).status_code == 200
    problem_of(public.get(url, headers={"If-Match": '"x"'}), "precondition-failed")
    unsatisfiable = public.get(url, headers={"Range": f"bytes={_SIZE}-"})
    assert problem_of(unsatisfiable, "invalid-range")["size"] == _SIZE
    assert unsatisfiable.headers["Content-Range"] == f"bytes */{_SIZE}"
    part = {"Range": "bytes=0-9"}
    assert public.get(url, headers=part | {"If-Range": etag}).status_code == 206
    for other in ('"x"', f"W/{etag}", "Sat, 01 Jan 2022 00:00:00 GMT"):
        whole = public.get(url, headers=part | {"If-Range": other})
        assert (whole.status_code, whole.data) == (200, _DATA)


def test_the_rest_of_a_broken_download(any_service: Service, url: str) -> None:
    """Put together from parts, it is the file."""
    public = any_service.client()
    etag = public.head(url).headers["ETag"]
    parts = [
        public.get(url, headers={"Range": f"bytes={start}-{start + 3000 - 1}", "If-Range": etag}).data
        for start in range(0, _SIZE, 3000)
    ]
    assert b"".join(parts) == _DATA


@pytest.mark.parametrize(
    "name", ["Ökologie & Umwelt.mbz", "水の循環.mbz", "مياه.txt", 'a "b" c.txt', "100%.txt", "a+b c;d.txt"]
)
def test_names_in_any_language(service: Service, name: str) -> None:
    """The address ends in the name, and the browser saves it under the name."""
    owner = service.member()
    upload = _finished(owner, DRAFT_BYTES, name)
    version = json_of(owner.post("/api/v1/resources", json={"upload": upload}), 201)["versions"][0]
    assert version["file_name"] == name
    address = version["download_url"]
    assert unquote(urlsplit(address).path).endswith(f"/1/{name}")
    got = owner.get(path_of(address))
    assert got.data == DRAFT_BYTES
    disposition = got.headers["Content-Disposition"]
    assert disposition.startswith("attachment; ")
    assert f"filename*=UTF-8''{quote(name, safe='')}" in disposition
    assert disposition.isascii()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.html", b"<!DOCTYPE html><html><body><script>alert(1)</script></body></html>"),
        ("picture.svg", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"></svg>'),
        ("notes.txt", b"<html><script>alert(1)</script>"),
    ],
)
def test_foreign_bytes_never_run_here(service: Service, name: str, content: bytes) -> None:
    """Saved and not shown, never sniffed, and in a sandbox if they are opened nevertheless."""
    resource = publish(service, service.member(), content, file_name=name)
    for method in ("GET", "HEAD"):
        got = service.client().open(_address(resource), method=method)
        assert got.headers["Content-Disposition"].startswith("attachment")
        assert got.headers["X-Content-Type-Options"] == "nosniff"
        policy = got.headers["Content-Security-Policy"]
        assert "sandbox" in policy
        assert "default-src 'none'" in policy
        assert "Set-Cookie" not in got.headers


def test_another_name_or_version_is_not_there(any_service: Service) -> None:
    """The name is part of the address."""
    resource = publish(any_service, any_service.member())
    public, address = any_service.client(), _address(resource)
    base = address.rpartition("/1/")[0]
    for wrong in ("/1/other.txt", "/1/Notes.txt", "/2/notes.txt", "/0/notes.txt", "/1/", "/1/../1/notes.txt"):
        assert public.get(base + wrong).status_code == 404, wrong
    assert public.get("/files/00000000-0000-7000-8000-000000000000/1/notes.txt").status_code == 404
    problem_of(public.post(address), "method-not-allowed")


def test_a_draft_needs_its_owners_token(any_service: Service) -> None:
    """Or a moderator's; and nobody may keep a copy."""
    owner = any_service.member("owner")
    address = _address(share(owner))
    for client in (any_service.client(), any_service.member("other")):
        problem_of(client.get(address), "not-found")
    got = owner.get(address)
    assert got.data == DRAFT_BYTES
    assert got.headers["Cache-Control"] == "private, no-store"
    moderator = any_service.client(any_service.token("moderator", role=Role.MODERATOR))
    assert moderator.get(address).data == DRAFT_BYTES


# Links


def _link(client: Any, resource: Any, number: int = 1) -> Any:
    link = f"{path_of(resource['api_url'])}/versions/{number}/download-link"
    return json_of(client.post(link), 201)


def test_a_link_opens_a_draft(any_service: Service) -> None:
    """Without a token, for a while, with ranges and HEAD, to the same address."""
    owner, public = any_service.member(), any_service.client()
    resource = share(owner)
    link = _link(owner, resource)
    assert urlsplit(link["url"]).path == urlsplit(resource["versions"][0]["download_url"]).path
    got = public.get(path_of(link["url"]))
    assert got.data == DRAFT_BYTES
    assert got.headers["Cache-Control"] == "private, no-store"
    assert public.head(path_of(link["url"])).headers["Content-Length"] == str(len(DRAFT_BYTES))
    assert public.get(path_of(link["url"]), headers={"Range": "bytes=0-4"}).data == DRAFT_BYTES[:5]


def test_a_link_that_does_not_fit(any_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tampered with, for another version, another resource, too old, or signed by another service."""
    owner, public = any_service.member(), any_service.client()
    first, second = share(owner, b"first"), share(owner, b"second")
    link = path_of(_link(owner, first)["url"])
    address, _, signature = link.partition("?signature=")
    changed = signature[:-2] + ("AA" if signature[-2:] != "AA" else "BB")
    for wrong in (changed, signature[1:], "", "x", signature + "x", signature.replace(".", "..", 1)):
        problem_of(public.get(f"{address}?signature={quote(wrong)}"), "forbidden")
    problem_of(public.get(f"{_address(second)}?signature={signature}"), "forbidden")
    problem_of(owner.get(f"{_address(second)}?signature={signature}"), "forbidden")
    problem_of(public.get(f"{address}?signature={'x' * 1001}"), "invalid-input")

    late = (now() + any_service.settings.link_ttl + timedelta(seconds=2)).timestamp()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: late)
    problem_of(public.get(link), "forbidden")
    monkeypatch.undo()
    assert public.get(link).data == b"first"


def test_a_link_is_of_one_version(service: Service) -> None:
    """A link to the released one opens no draft of the next."""
    owner, public = service.member(), service.client()
    resource = publish(service, owner)
    both = json_of(
        owner.post(
            f"{path_of(resource['api_url'])}/versions",
            json={"upload": _finished(owner, b"next")},
        ),
        201,
    )
    signature = _link(public, resource)["url"].partition("?")[2]
    problem_of(public.get(f"{_address(both, 0)}?{signature}"), "forbidden")
    problem_of(public.post(f"{path_of(resource['api_url'])}/versions/2/download-link"), "not-found")


def _finished(client: Any, data: bytes, name: str = "next.txt") -> str:
    begun = json_of(client.post("/api/v1/uploads", json={"file_name": name, "size": len(data)}), 201)
    json_of(client.put(path_of(begun["url"]), data=data))
    made: str = begun["id"]
    return made


def test_a_link_ends_with_the_resource(any_service: Service) -> None:
    """Withdrawn is withdrawn, for those with a link too."""
    owner, public = any_service.member(), any_service.client()
    draft, shown = share(owner, b"draft"), publish(any_service, owner, b"public")
    links = {"not-found": _link(owner, draft)["url"], "gone": _link(owner, shown)["url"]}
    for resource in (draft, shown):
        url = f"{path_of(resource['api_url'])}/withdraw"
        assert owner.post(url, json={"reason": "Old."}).status_code == 204
    for code, link in links.items():
        problem_of(public.get(path_of(link)), code)


# Where the bytes come from


def test_s3_with_a_public_address_gives_the_bytes_out_itself(weed: Weed, make_service: MakeService) -> None:
    """A GET is sent there for a short time; HEAD is answered here, for Moodle takes a 4xx on it as fatal."""
    service = make_service(
        store_url=weed.store_url(
            weed.shared_bucket, prefix="presigned", public_endpoint_url=weed.endpoint_url
        ),
        store_access_key=weed.access_key,
        store_secret_key=weed.secret_key,
    )
    owner, public = service.member(), service.client()
    resource = publish(service, owner, _DATA, file_name="Ökologie.bin")
    address = _address(resource)
    head = public.head(address)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(_SIZE))
    got = public.get(address)
    assert got.status_code == 302
    assert got.headers["Cache-Control"] == "private, no-store"
    with urlopen(got.headers["Location"], timeout=20) as answer:
        assert answer.read() == _DATA
        assert quote("Ökologie.bin") in answer.headers["Content-Disposition"]
        assert answer.headers["Content-Disposition"].startswith("attachment")
    draft = _address(share(owner, b"draft"))
    problem_of(public.get(draft), "not-found")
    assert owner.get(draft).status_code == 302
    etag = head.headers["ETag"]
    assert public.get(address, headers={"If-None-Match": etag}).status_code == 304


def test_a_front_server_sends_the_bytes_where_one_is_set(make_service: MakeService) -> None:
    """X-Accel-Redirect to a path below the store's root; who may have them is decided here."""
    service = make_service(accel_redirect="/_blobs")
    owner, public = service.member(), service.client()
    resource = publish(service, owner)
    got = public.get(_address(resource))
    assert (got.status_code, got.data) == (200, b"")
    inside = got.headers["X-Accel-Redirect"]
    assert inside.startswith("/_blobs/blobs/")
    path = service.settings.data_dir / "store" / inside.removeprefix("/_blobs/")
    assert path.read_bytes() == DRAFT_BYTES
    assert "Content-Disposition" in got.headers
    head = public.head(_address(resource))
    assert head.headers["Content-Length"] == str(len(DRAFT_BYTES))
    assert "X-Accel-Redirect" not in head.headers
    problem_of(public.get(_address(share(owner, b"draft"))), "not-found")


def test_bytes_that_the_store_has_lost(any_service: Service) -> None:
    """A problem before the first byte, and no broken 200; the same bytes sent again heal it."""
    owner, public = any_service.member(), any_service.client()
    address = _address(publish(any_service, owner))
    ((locator, _),) = published(any_service.settings)
    store_of(any_service.settings).delete(locator)  # type: ignore[arg-type]  # a locator, read back as text
    response = public.get(address)
    problem_of(response, "blob-missing")
    assert locator not in response.text
    share(any_service.member("other"))
    assert public.get(address).data == DRAFT_BYTES


def test_a_store_that_does_not_answer(any_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with the advice to come back, and nothing of what the driver said."""
    address = _address(publish(any_service, any_service.member()))

    def fail(*_arguments: object, **_named: object) -> None:
        raise StorageUnavailable("s3.internal.example:8333 refused")

    monkeypatch.setattr(CheckedStore, "open", fail)
    response = any_service.client().get(address)
    problem_of(response, "storage-unavailable")
    assert "internal" not in response.text
    assert response.headers["Retry-After"]


def test_the_signing_key_is_kept(make_service: MakeService) -> None:
    """Links survive a restart; another service's links are worth nothing."""
    service, other = make_service(), make_service()
    owner = service.member()
    resource = share(owner)
    link = path_of(_link(owner, resource)["url"])
    again = make_service(data_dir=service.settings.data_dir, search_url="memory:again")
    assert again.client().get(link).data == DRAFT_BYTES
    assert (service.settings.data_dir / "secret_key").stat().st_mode & 0o077 == 0
    problem_of(other.client().get(link), "forbidden")
