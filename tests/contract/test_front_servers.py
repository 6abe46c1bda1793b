"""The shipped front servers, with TLS as Moodle demands it: what it sends and fetches goes through both."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from repo_service.domain.identity import SCOPES_OF_ROLE, Identity, Role
from tests.contract.live import Live, serving
from tests.contract.support import staged
from tests.moodle_plugin_bridge.moodle import CREATE, USER_AGENT, Share
from tests.support.front import Front, fronted, program
from tests.support.service import OPERATOR
from tests.support.services import free_port

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Fronted:
    """A service and the server before it."""

    live: Live
    front: Front


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fronted]:
    """Files up to 8 MiB."""
    folder = tmp_path_factory.mktemp("front")
    port = free_port()
    settings = {
        "REPO_BASE_URL": f"https://127.0.0.1:{port}",
        "REPO_TRUSTED_PROXIES": "1",
        "REPO_MAX_UPLOAD_SIZE": "8MiB",
    }
    with (
        serving(folder, **settings) as live,
        fronted(request.param, folder / "front", port=port, upstream=live.port) as front,
    ):
        yield Fronted(live, front)


@dataclass(frozen=True)
class Answer:
    """What the client was told."""

    status: int
    body: bytes


def _share(site: Fronted, folder: Path, share: Share, *, token: str | None = None) -> Answer:
    """By libcurl, as Moodle's PHP sends: above 1 MB it asks first, and it reads what it is told meanwhile."""
    body = folder / "body"
    body.write_bytes(share.body)
    headers = {**share.headers, "Authorization": f"Bearer {token or site.live.token}", "Accept": ""}
    told = [argument for name, value in headers.items() for argument in ("-H", f"{name}: {value}")]
    answer = folder / "answer"
    done = subprocess.run(
        [
            *(program("curl"), "-sS", "--http1.1", "--cacert", str(site.front.authority)),
            *("-o", str(answer), "-w", "%{http_code}", "--data-binary", f"@{body}"),
            *told,
            site.front.url + CREATE,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Answer(int(done.stdout), answer.read_bytes())


@pytest.mark.parametrize("size", [900_000, 5 * _MIB])
def test_a_share_goes_through_and_comes_back(site: Fronted, tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256)
    answer = _share(site, tmp_path, Share.of(content, "Ponds", "All about ponds"))
    assert answer.status == 201, answer
    made = json.loads(answer.body)
    assert made["homepage"] == f"{site.front.url}/resources/{made['id']}/finish"
    context = ssl.create_default_context(cafile=str(site.front.authority))
    identity = _identity(site.live)
    link, name = site.live.services.downloads.sign(identity, UUID(made["id"]), 1)
    url = f"{site.front.url}/files/{made['id']}/1/{name}?signature={link.signature}"
    with httpx.Client(verify=context, headers={"User-Agent": USER_AGENT, "Accept": "*/*"}) as moodle:
        asked = moodle.head(url)
        assert (asked.status_code, asked.headers["Content-Length"]) == (200, str(len(content)))
        assert moodle.get(url).content == content


def test_a_refusal_comes_through(site: Fronted, tmp_path: Path) -> None:
    for share in (Share.of(bytes(900_000), "Ponds", ""), Share.of(bytes(5 * _MIB), "Ponds", "")):
        answer = _share(site, tmp_path, share, token="mrr_wrong")
        assert answer.status == 401, answer
        assert answer.body.startswith(b'{"detail":"You are logged out of the repository.')
    assert staged(site.live.settings) == []


_SLOW = 24
"""Connections: more than the service has threads."""


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/sign-in", "application/x-www-form-urlencoded"),
        ("/oauth/token", "application/x-www-form-urlencoded"),
        ("/oauth/register", "application/json"),
        ("/upload", "multipart/form-data; boundary=b"),
        ("/api/v1/resources", "multipart/form-data; boundary=b"),
        (CREATE, "multipart/form-data; boundary=b"),
    ],
)
def test_strangers_who_send_slowly_keep_nobody_out(site: Fronted, path: str, media_type: str) -> None:
    """A form of which a byte comes now and then holds a connection of the front server, and no thread."""
    context = ssl.create_default_context(cafile=str(site.front.authority))
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{site.front.port}\r\nContent-Type: {media_type}\r\n"
        "Content-Length: 15000\r\n\r\na"
    )
    with ExitStack() as stack:
        for _ in range(_SLOW):
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", site.front.port)))
            slow = stack.enter_context(context.wrap_socket(plain, server_hostname="127.0.0.1"))
            slow.sendall(head.encode())
        time.sleep(0.5)  # all of them have arrived
        browser = stack.enter_context(httpx.Client(verify=context, timeout=5))
        assert browser.get(f"{site.front.url}/sign-in").status_code == 200


def test_a_stranger_sends_no_large_form(site: Fronted) -> None:
    context = ssl.create_default_context(cafile=str(site.front.authority))
    with httpx.Client(verify=context, base_url=site.front.url) as browser:
        assert browser.post("/sign-in", data={"login": "a" * 100_000}).status_code == 413


def test_pages_know_their_address(site: Fronted) -> None:
    context = ssl.create_default_context(cafile=str(site.front.authority))
    with httpx.Client(verify=context) as browser:
        page = browser.get(f"{site.front.url}/sign-in")
        assert page.status_code == 200
        assert "Secure" in page.headers["Set-Cookie"]
        assert browser.get(f"{site.front.url}/metrics").status_code == 404


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_while_the_service_is_away_people_read_so(kind: str, tmp_path: Path) -> None:
    """Moodle shows the beginning of the answer to a teacher who shares."""
    with fronted(kind, tmp_path / "front", port=free_port(), upstream=free_port()) as front:
        context = ssl.create_default_context(cafile=str(front.authority))
        share = Share.of(bytes(900_000), "Ponds", "")
        with httpx.Client(verify=context, base_url=front.url) as client:
            for answer in (
                client.get("/"),
                client.post(CREATE, content=share.body, headers=dict(share.headers)),
            ):
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
                assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
                assert (
                    answer.text.strip()
                    == "The repository is not there at the moment. Try again in a few minutes."
                )


def test_nobody_trusts_it_without_its_authority(site: Fronted) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{site.front.url}/healthz")


def _identity(live: Live) -> Identity:
    account = live.services.accounts.find(OPERATOR, "teacher")
    return Identity(account_id=account.id, role=Role.MEMBER, scopes=SCOPES_OF_ROLE[Role.MEMBER])
