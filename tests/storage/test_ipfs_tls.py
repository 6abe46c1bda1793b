"""A node behind a front server with a certificate: ``ipfs+https``."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import StorageUnavailable, open_store
from tests.storage.conformance import NOW, PARTS, content, publish, read_back, sidecar_of
from tests.support.ipfs import Node
from tests.support.services import free_port, missing

_CONFIGURATION = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/certificate.pem;
    ssl_certificate_key {folder}/key.pem;
    client_max_body_size 0;
    location /api/v0/ {{
      proxy_pass http://{node};
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_buffering off;
    }}
  }}
}}
"""


@pytest.fixture
def front(kubo: Node, tmp_path: Path) -> Iterator[int]:
    """Port of nginx before the node."""
    programs = {
        name: shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") for name in ("nginx", "openssl")
    }
    for name, program in programs.items():
        if program is None:
            missing(name, f"apt-get install {name}")
    certificate = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", f"{tmp_path}/key.pem", "-out", f"{tmp_path}/certificate.pem"]
    command = [str(programs["openssl"]), "req", *certificate, *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    port = free_port()
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=tmp_path, port=port, node=kubo.host))
    with (tmp_path / "nginx.log").open("wb") as log:
        command = [str(programs["nginx"]), "-e", "stderr", "-c", str(configuration), "-p", str(tmp_path)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            _wait_until_it_listens(process, port, tmp_path / "nginx.log")
            yield port
        finally:
            process.terminate()
            process.wait(30)


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"nginx did not start:\n{log.read_text(errors='replace')[-2000:]}")


def test_a_trusted_certificate(front: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "certificate.pem"))
    store = open_store(f"ipfs+https://127.0.0.1:{front}?root=/test/tls")
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


def test_a_certificate_that_nobody_trusts(front: int) -> None:
    store = open_store(f"ipfs+https://127.0.0.1:{front}")
    for act in (store.check, store.free_bytes, lambda: publish(store, b"x")):
        with pytest.raises(StorageUnavailable):
            act()
