"""Pictures of files, over HTTP: made by themselves, for who may read the file, and without what it hides."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image

from tests.contract.support import path_of, problem_of, publish, share
from tests.support import media
from tests.support.mutating import members_of, zipped
from tests.support.oer import SAMPLES, docx, epub, h5p, odt
from tests.support.service import Service, json_of

_COVER = media.picture("JPEG", size=(900, 1200))


def _with_cover(version: str = "3.0") -> bytes:
    """An e-book with one."""
    item = b'<item id="c" href="cover.jpg" media-type="image/jpeg" properties="cover-image"/></manifest>'
    book = epub(version)
    document = members_of(book)["OEBPS/book.opf"].replace(b"</manifest>", item)
    return zipped(book, {"OEBPS/book.opf": document, "OEBPS/cover.jpg": _COVER})


def _office() -> bytes:
    """A text document of Office with the picture that its program made."""
    package = docx()
    relations = members_of(package)["_rels/.rels"].replace(
        b"</Relationships>",
        b"<Relationship Id='9' Type='http://schemas.openxmlformats.org/package/2006/relationships/metadata/"
        b"thumbnail' Target='docProps/thumbnail.jpeg'/></Relationships>",
    )
    return zipped(package, {"_rels/.rels": relations, "docProps/thumbnail.jpeg": _COVER})


def _transparent() -> bytes:
    file = io.BytesIO()
    Image.new("RGBA", (500, 500), (0, 0, 0, 0)).save(file, "PNG")
    return file.getvalue()


_SHOWN: Mapping[str, Callable[[], bytes]] = {
    "a picture": lambda: media.picture("JPEG", size=(2000, 1000), xmp=media.XMP, located=True),
    "a picture that can be seen through": _transparent,
    "a PDF document": media.pdf,
    "a video": lambda: media.recording("mp4"),
    "an e-book with a cover": _with_cover,
    "a text document": lambda: zipped(
        odt(), {"Thumbnails/thumbnail.png": media.picture("PNG", size=(400, 300))}
    ),
    "a document of Office": _office,
    "an H5P package with a picture": lambda: zipped(h5p(), {"content/images/leaf.png": _COVER}),
}


def _image(client: FlaskClient, url: str) -> Image.Image:
    response = client.get(url)
    assert (response.status_code, response.mimetype) == (200, "image/webp")
    image = Image.open(io.BytesIO(response.data))
    assert image.format == "WEBP"
    assert not image.getexif()
    assert "xmp" not in image.info
    return image


@pytest.mark.parametrize("what", _SHOWN)
def test_what_can_be_shown_is(what: str, service: Service) -> None:
    version = publish(service, service.member(), _SHOWN[what](), file_name="x.bin")["versions"][0]
    url = path_of(version["thumbnail_url"])
    small, large = _image(service.client(), url), _image(service.client(), url.replace("small", "large"))
    assert small.width <= 320
    assert small.height <= 240
    assert large.width <= 1280
    assert large.height <= 960
    assert large.width >= small.width
    if "seen through" in what:
        assert small.getpixel((5, 5)) == (255, 255, 255)


def test_on_every_store(any_service: Service) -> None:
    version = publish(any_service, any_service.member(), media.pdf(), file_name="x.pdf")["versions"][0]
    assert _image(any_service.client(), path_of(version["thumbnail_url"])).width == 170


def test_a_picture_is_turned_the_right_way_up(service: Service) -> None:
    image = Image.new("RGB", (400, 100), "red")
    exif = image.getexif()
    exif[0x0112] = 6  # EXIF 2.32, 4.6.4: lies on its side
    file = io.BytesIO()
    image.save(file, "JPEG", exif=exif)
    version = publish(service, service.member(), file.getvalue(), file_name="x.jpg")["versions"][0]
    shown = _image(service.client(), path_of(version["thumbnail_url"]))
    assert shown.width < shown.height


@pytest.mark.parametrize(
    "sample", ["plain text", "GIFT", "wav recording", "SCORM 1.2", "EPUB 3.0", "drawing"]
)
def test_what_cannot_be_shown_has_none(sample: str, service: Service) -> None:
    resource = publish(service, service.member(), SAMPLES[sample].make(), file_name="x.bin")
    assert resource["versions"][0]["thumbnail_url"] is None
    problem_of(service.client().get(f"/thumbnails/{resource['id']}/1/small.webp"), "not-found")


def _huge() -> bytes:
    """A PNG of 40,000 by 40,000 pixels, in a few hundred bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "content",
    [
        _huge,
        lambda: media.picture()[:300],
        lambda: media.pdf()[:900],
        lambda: media.recording("mp4")[:900],
        lambda: zipped(_with_cover(), {"OEBPS/cover.jpg": b"\xff\xd8\xff no picture"}),
        lambda: zipped(_with_cover(), {"OEBPS/cover.jpg": _huge()}),
    ],
    ids=["too many pixels", "half a picture", "half a document", "half a video", "no cover", "a huge cover"],
)
def test_what_fails_is_shared_all_the_same(content: Any, service: Service) -> None:
    resource = publish(service, service.member(), content(), file_name="x.bin")
    assert resource["versions"][0]["thumbnail_url"] is None
    assert service.client().get(path_of(resource["versions"][0]["download_url"])).status_code == 200


def test_only_who_may_read_the_file_sees_it(service: Service) -> None:
    teacher, other = service.member(), service.member("other")
    resource = share(teacher, media.picture(), file_name="x.jpg", licence="CC0-1.0")
    service.work()
    url = f"/thumbnails/{resource['id']}/1/small.webp"
    for somebody in (service.client(), other):
        problem_of(somebody.get(url), "not-found")
    answer = teacher.get(url)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "private, no-store")
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    json_of(teacher.post(f"/api/v1/resources/{resource['id']}/versions/1/release"))
    shown = service.client().get(url)
    assert shown.headers["Cache-Control"] == "public, no-cache"
    assert shown.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert service.client().get(url, headers={"If-None-Match": shown.headers["ETag"]}).status_code == 304
    problem_of(teacher.get(f"/thumbnails/{resource['id']}/7/small.webp"), "not-found")
    problem_of(teacher.get(f"/thumbnails/{resource['id']}/1/tiny.webp"), "not-found")
    teacher.post(f"/api/v1/resources/{resource['id']}/withdraw", json={"reason": "mine no more"})
    problem_of(service.client().get(url), "gone")


def test_where_a_picture_was_taken_is_told_to_its_owner_only(service: Service) -> None:
    teacher = service.member()
    resource = publish(service, teacher, media.picture(located=True), file_name="x.jpg")
    url = resource["versions"][0]["inspection_url"]
    own = json_of(teacher.get(url))["findings"]
    assert [(finding["code"], finding["finding_class"]) for finding in own] == [("location", "attribution")]
    assert json_of(service.client().get(url))["findings"] == []
