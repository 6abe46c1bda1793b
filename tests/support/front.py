"""Front servers for real, nginx and Caddy, with TLS by a throw-away CA: those of ``deploy/``, and any."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.support.services import missing

_DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
_SECONDS = 20
_CADDY_WITH_BUFFERS = (2, 6, 4)

_NGINX = """
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
  include {site};
}}
"""
_SITE = """
server {{
  listen 127.0.0.1:{port} ssl;
  ssl_certificate {folder}/certificate.pem;
  ssl_certificate_key {folder}/key.pem;
  client_max_body_size 0;
  location {location}
}}
"""
_CADDY = """
{{
	admin off
	auto_https off
	storage file_system {folder}/caddy
}}
{site}
"""


@dataclass(frozen=True)
class Front:
    """A running front server. ``authority`` is the certificate of its CA."""

    url: str
    port: int
    authority: Path


def program(name: str) -> str:
    """Where a server program is; one that is missing is said to be."""
    places = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/sbin:/bin"
    found = shutil.which(name, path=places)
    return found if found is not None else missing(name, f"apt-get install {name}")


@contextmanager
def fronted(
    kind: str, folder: Path, *, port: int, upstream: int, authority: trustme.CA | None = None
) -> Iterator[Front]:
    """``nginx`` or ``caddy`` with the configuration that is shipped, but for its names and places.

    Its certificate is by ``authority``, or by one made for it that nobody else trusts.
    """
    folder.mkdir()
    configure = {"nginx": _shipped_nginx, "caddy": _shipped_caddy}[kind]
    front = _certified(folder, port, authority)
    with _listening(configure(folder, port, upstream), folder, port):
        yield front


@contextmanager
def behind_nginx(folder: Path, *, port: int, location: str) -> Iterator[Front]:
    """nginx before whatever ``location`` says, with a certificate that nobody else trusts."""
    folder.mkdir()
    site = folder / "site.conf"
    site.write_text(_SITE.format(folder=folder, port=port, location=location))
    front = _certified(folder, port)
    with _listening(_nginx(folder, site), folder, port):
        yield front


def _certified(folder: Path, port: int, authority: trustme.CA | None = None) -> Front:
    """Writes a certificate for loopback, its key, and the certificate of who vouches for it."""
    authority = authority or trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return Front(f"https://127.0.0.1:{port}", port, folder / "ca.pem")


def _shipped_nginx(folder: Path, port: int, upstream: int) -> list[str]:
    shipped = (_DEPLOY / "nginx.conf").read_text()
    secure, _, _ = shipped.partition("\nserver {\n    listen 80;")
    site = _replaced(
        secure,
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("/etc/ssl/resources.pem", f"{folder}/certificate.pem"),
        ("/etc/ssl/resources.key", f"{folder}/key.pem"),
        ("http://127.0.0.1:8080", f"http://127.0.0.1:{upstream}"),
    )
    (folder / "site.conf").write_text(site)
    return _nginx(folder, folder / "site.conf")


def _nginx(folder: Path, site: Path) -> list[str]:
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, site=site))
    return [program("nginx"), "-e", "stderr", "-c", str(folder / "nginx.conf"), "-p", str(folder)]


def _shipped_caddy(folder: Path, port: int, upstream: int) -> list[str]:
    told = subprocess.run([program("caddy"), "version"], check=True, capture_output=True, text=True).stdout
    version = tuple(map(int, re.findall(r"\d+", told)[:3]))
    buffers = "request_buffers 128KiB"  # older ones have no size
    site = _replaced(
        (_DEPLOY / "Caddyfile").read_text(),
        (
            "# tls /certificates/fullchain.pem /certificates/key.pem",
            f"tls {folder}/certificate.pem {folder}/key.pem",
        ),
        ("app:8080", f"127.0.0.1:{upstream}"),
        (buffers, buffers if version >= _CADDY_WITH_BUFFERS else "buffer_requests"),
    )
    (folder / "Caddyfile").write_text(_CADDY.format(folder=folder, site=site))
    return [program("caddy"), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


def _replaced(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert old in text, f"{old} is no longer in the shipped configuration"
        text = text.replace(old, new)
    return text


@contextmanager
def _listening(command: list[str], folder: Path, port: int) -> Iterator[None]:
    log = folder / "log"
    environment = {**os.environ, "REPO_BASE_URL": f"https://127.0.0.1:{port}", "HOME": str(folder)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
        )
        try:
            _wait_until_it_listens(process, port, log)
            yield
        finally:
            process.terminate()
            process.wait(30)


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the front server did not start:\n{log.read_text(errors='replace')[-2000:]}")
