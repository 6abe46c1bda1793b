"""The front servers that ``deploy/`` configures, for real, with TLS by a throw-away CA."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.services import missing

_DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
_SECONDS = 20

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


@dataclass(frozen=True)
class Authority:
    """A CA: the files of its certificate and of its key."""

    certificate: Path
    key: Path


def program(name: str) -> str:
    """Where a server program is; one that is missing is said to be."""
    places = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/sbin:/bin"
    found = shutil.which(name, path=places)
    return found if found is not None else missing(name, f"apt-get install {name}")


@contextmanager
def fronted(
    kind: str, folder: Path, *, port: int, upstream: int, authority: Authority | None = None
) -> Iterator[Front]:
    """``nginx`` or ``caddy`` with the configuration that is shipped, but for its names and places.

    Its certificate is by ``authority``, or by one made for it that nobody else trusts.
    """
    folder.mkdir()
    server = program(kind)
    authority = authority or _make_authority(folder)
    _make_certificate(folder, authority)
    command = [server, *{"nginx": _nginx, "caddy": _caddy}[kind](folder, port, upstream)]
    log = folder / "log"
    environment = {**os.environ, "REPO_BASE_URL": f"https://127.0.0.1:{port}", "HOME": str(folder)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
        )
        try:
            _wait_until_it_listens(process, port, log)
            yield Front(f"https://127.0.0.1:{port}", port, authority.certificate)
        finally:
            process.terminate()
            process.wait(30)


def _nginx(folder: Path, port: int, upstream: int) -> list[str]:
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
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, site=folder / "site.conf"))
    return ["-e", "stderr", "-c", str(folder / "nginx.conf"), "-p", str(folder)]


def _caddy(folder: Path, port: int, upstream: int) -> list[str]:
    site = _replaced(
        (_DEPLOY / "Caddyfile").read_text(),
        (
            "# tls /certificates/fullchain.pem /certificates/key.pem",
            f"tls {folder}/certificate.pem {folder}/key.pem",
        ),
        ("app:8080", f"127.0.0.1:{upstream}"),
    )
    (folder / "Caddyfile").write_text(_CADDY.format(folder=folder, site=site))
    return ["run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


def _replaced(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert old in text, f"{old} is no longer in the shipped configuration"
        text = text.replace(old, new)
    return text


_KEY = ("-newkey", "rsa:2048", "-nodes")


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run([program("openssl"), *arguments], check=True, capture_output=True, cwd=folder)


def _make_authority(folder: Path) -> Authority:
    _openssl(
        folder,
        *("req", "-x509", *_KEY, "-keyout", "ca-key.pem", "-out", "ca.pem", "-days", "2"),
        *("-subj", "/CN=Throw-away CA", "-addext", "keyUsage=critical,keyCertSign"),
    )
    return Authority(folder / "ca.pem", folder / "ca-key.pem")


def _make_certificate(folder: Path, authority: Authority) -> None:
    """For loopback."""
    _openssl(folder, "req", *_KEY, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=127.0.0.1")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    by = ("-CA", str(authority.certificate.resolve()), "-CAkey", str(authority.key.resolve()))
    _openssl(
        folder,
        *("x509", "-req", "-in", "request.pem", *by, "-set_serial", f"0x{secrets.token_hex(16)}"),
        *("-days", "2", "-extfile", "names", "-out", "certificate.pem"),
    )


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
