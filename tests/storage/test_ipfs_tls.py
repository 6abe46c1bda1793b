"""A node behind a front server with a certificate: ``ipfs+https``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import StorageUnavailable, open_store
from tests.storage.conformance import NOW, PARTS, content, publish, read_back, sidecar_of
from tests.support.front import Front, behind_nginx
from tests.support.ipfs import Node
from tests.support.services import free_port

_LOCATION = """/api/v0/ {{
    proxy_pass http://{node};
    proxy_http_version 1.1;
    proxy_request_buffering off;
    proxy_buffering off;
  }}"""


@pytest.fixture
def front(kubo: Node, tmp_path: Path) -> Iterator[Front]:
    """nginx before the node."""
    location = _LOCATION.format(node=kubo.host)
    with behind_nginx(tmp_path / "front", port=free_port(), location=location) as front:
        yield front


def test_a_trusted_certificate(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(front.authority))
    store = open_store(f"ipfs+https://127.0.0.1:{front.port}?root=/test/tls")
    store.check()
    data = content(PARTS, seed=443)
    locator = publish(store, data)
    assert read_back(store, locator, offset=5) == data[5:]
    assert store.sidecar(locator) == sidecar_of(data)
    with store.stage() as staged:
        staged.write(data)
    store.delete(locator)
    assert list(store.iter()) == []
    assert store.sweep_staged(older_than=NOW) == 0


def test_a_certificate_that_nobody_trusts(front: Front) -> None:
    store = open_store(f"ipfs+https://127.0.0.1:{front.port}")
    for act in (store.check, store.free_bytes, lambda: publish(store, b"x")):
        with pytest.raises(StorageUnavailable):
            act()
