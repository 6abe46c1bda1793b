"""What people upload runs nowhere: not as a page, not as a part of one, not within somebody else's."""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx
import pytest
from lxml import etree
from playwright.sync_api import Browser, Dialog
from playwright.sync_api import Error as PlaywrightError
from werkzeug.test import TestResponse

from tests.contract.support import path_of, publish
from tests.support.backups import ActivitySpec, members, write_zip
from tests.support.browser import LiveService
from tests.support.service import Service

_SCRIPT: Final = b"window.ran = 'a script'; postMessage(1); alert(document.domain)"
_SVG: Final = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'
_HTML: Final = b"<!doctype html><script>alert(document.domain)</script><img src=x onerror=alert(2)>"


def _h5p() -> bytes:
    """A package whose library runs a script."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("h5p.json", '{"title": "<script>alert(1)</script>", "mainLibrary": "H5P.X"}')
        archive.writestr("content/content.json", '{"text": "<img src=x onerror=alert(1)>"}')
        archive.writestr("H5P.X-1.0/x.js", _SCRIPT)
        archive.writestr("index.html", _HTML)
    return packed.getvalue()


FILES: Final = {
    "page.html": _HTML,
    "page.xhtml": b'<html xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></html>',
    "picture.svg": _SVG,
    "data.xml": b'<x xmlns:h="http://www.w3.org/1999/xhtml"><h:script>alert(1)</h:script></x>',
    "script.js": _SCRIPT,
    "module.mjs": _SCRIPT,
    "style.css": b"body { display: none }",
    "page.pdf": b"%PDF-1.4\n<script>alert(1)</script>",
    "interactive.h5p": _h5p(),
    "page.mht": b"MIME-Version: 1.0\nContent-Type: text/html\n\n" + _HTML,
    "none": _HTML,
}

_WISHES: Final = (
    "",
    "?inline=1&download=0",
    "?disposition=inline&response-content-disposition=inline&response-content-type=text/html",
    "?content_type=text/html&type=text/html&format=html&mime=text/html",
)
_RUNS_IN_PAGES: Final = ("javascript", "ecmascript", "text/css")


def _assert_only_saved(answer: TestResponse) -> None:
    told = answer.headers
    assert answer.status_code in (200, 206), answer.text
    assert told["Content-Disposition"].startswith("attachment; "), told
    assert told["X-Content-Type-Options"] == "nosniff"
    assert told["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert told["Cross-Origin-Resource-Policy"] == "same-origin"
    assert not [word for word in _RUNS_IN_PAGES if word in told["Content-Type"]]
    assert "Set-Cookie" not in told


def _answers(service: Service, path: str) -> Iterator[TestResponse]:
    """However it is asked for."""
    for wish in _WISHES:
        for headers in ({"Accept": "text/html"}, {"Accept": "image/svg+xml", "Sec-Fetch-Dest": "iframe"}):
            yield service.client().get(f"{path}{wish}", headers=headers)
    yield service.client().get(path, headers={"Range": "bytes=0-9"})
    yield service.client().head(path)


@pytest.mark.parametrize("name", FILES)
def test_it_is_only_saved(service: Service, name: str) -> None:
    shared = publish(service, service.member(), FILES[name], file_name=name)
    for answer in _answers(service, path_of(shared["versions"][0]["download_url"])):
        _assert_only_saved(answer)
        answer.close()


def _course(path: Path, kinds: Mapping[str, str]) -> Path:
    """A backup with all of them in it, which says of what ``kinds`` they are."""
    activity = ActivitySpec(module="resource", title="T", files=list(FILES.items()))
    made = members(activities=[activity])
    records = etree.fromstring(made["files.xml"])
    for record in records:
        kind = record.find("mimetype")
        assert kind is not None
        kind.text = kinds.get(record.findtext("filename", ""), kind.text)
    made["files.xml"] = etree.tostring(records)
    return write_zip(path, made)


@pytest.mark.parametrize(
    "kind",
    [
        *("text/javascript", "Text/JavaScript", "application/x-javascript", "application/ecmascript"),
        *(
            "text/css",
            "text/html",
            "image/svg+xml",
            "application/xhtml+xml",
            "text/html\r\nX-Y: z",
            "nonsense",
        ),
    ],
)
def test_so_is_what_stands_in_a_course(service: Service, tmp_path: Path, kind: str) -> None:
    """Of what kind its files are, the course says itself."""
    course = _course(tmp_path / "c.mbz", dict.fromkeys(FILES, kind))
    shared = publish(service, service.member(), course.read_bytes(), file_name="c.mbz")
    path = f"/api/v1/resources/{shared['id']}/versions/1"
    parts = [_within(name) for name in FILES]
    for part in (*parts, "activities/100.mbz", "sections/21.mbz"):
        for answer in _answers(service, f"{path}/{part}"):
            _assert_only_saved(answer)
            answer.close()


def _within(name: str) -> str:
    """Below the address of a version: one of the files within the course."""
    return f"files/{hashlib.sha1(FILES[name]).hexdigest()}/{name}"


_INTO_PAGE: Final = """async ([frame, script, style, picture]) => {
    const ended = (tag, fields) => new Promise(end => {
        const made = Object.assign(document.createElement(tag), fields);
        made.onload = () => end(`${tag} loaded`);
        made.onerror = () => end(`${tag} refused`);
        document.body.append(made);
        setTimeout(() => end(`${tag} neither`), 3000);
    });
    const told = [
        await ended("script", { src: script }),
        await ended("script", { src: script, type: "module" }),
        await ended("link", { href: style, rel: "stylesheet" }),
        await ended("img", { src: picture }),
        await ended("iframe", { src: frame }),
        await ended("object", { data: picture }),
        await ended("embed", { src: frame }),
    ];
    try { new Worker(script).onmessage = () => { window.ran = "a worker"; }; } catch { }
    await new Promise(end => setTimeout(end, 500));
    return [told, window.ran ?? null, getComputedStyle(document.body).display];
}"""


def test_no_browser_runs_it(chromium: Browser, live_service: LiveService, tmp_path: Path) -> None:
    """Opened, framed by a page of ours, or put into one as script, style or picture: had somebody found a way
    to put markup into a page, their own file would be what its policy lets run."""
    kinds = {
        "page.html": "text/html",
        "script.js": "text/javascript",
        "style.css": "text/css",
        "picture.svg": "image/svg+xml",
    }
    course = _course(tmp_path / "c.mbz", kinds)
    version = _published(live_service, "c.mbz", course.read_bytes())
    addresses = [f"{version}/{_within(name)}" for name in kinds]
    said: list[str] = []

    def note(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    with chromium.new_context() as context:
        page = context.new_page()
        page.on("dialog", note)
        for address in addresses:
            with page.expect_download(), suppress(PlaywrightError):
                page.goto(address)
        page.goto(live_service.url)
        told, ran, display = page.evaluate(_INTO_PAGE, addresses)
    assert told[:3] == ["script refused", "script refused", "link refused"]
    assert (ran, said) == (None, [])
    assert display != "none"


def _published(live: LiveService, name: str, content: bytes) -> str:
    """The API's address of the version that is made of this, once everybody may have parts of it."""
    said = {"licence": "CC0-1.0", "release": True}
    with httpx.Client(base_url=live.url, headers={"Authorization": f"Bearer {live.token}"}) as api:
        file, metadata = {"file": (name, content)}, {"metadata": json.dumps(said)}
        made = api.post("/api/v1/resources", data=metadata, files=file)
        assert made.status_code == 201, made.text
        version = f"{made.json()['api_url']}/versions/1"
        deadline = time.monotonic() + 60
        while httpx.get(f"{version}/{_within('page.html')}").status_code != 200:
            assert time.monotonic() < deadline, api.get(made.json()["api_url"]).text
            time.sleep(0.2)
    return version
