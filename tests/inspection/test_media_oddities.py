"""Pictures and documents as some programs write them: of many greys, with numbers for texts, after a mark."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from repo_service.inspection.media import picture_task, shrinking
from repo_service.inspection.media.document import DocumentParser
from tests.backups.support import bytes_source
from tests.support import media


@pytest.mark.parametrize(
    ("mode", "grey"), [("I;16", 0x8000), ("I;16B", 0x8000), ("I", 50), ("F", 0.5)], ids=str
)
def test_a_picture_in_many_greys_is_neither_black_nor_white(mode: str, grey: float) -> None:
    picture = Image.new(mode, (40, 30), grey)
    picture.paste(Image.new(mode, (10, 30), 0), (0, 0))
    if mode in ("I", "F"):
        picture.paste(Image.new(mode, (10, 30), 2 * grey), (30, 0))
    small, _ = shrinking.thumbnails(picture)
    shown = Image.open(io.BytesIO(small)).convert("L").tobytes()[15 * 40 + 20]
    assert 115 < shown < 140


def test_a_picture_of_one_grey_is_a_picture() -> None:
    assert len(shrinking.thumbnails(Image.new("I", (40, 30), 7))) == 2


def test_numbers_where_a_text_should_be_say_nothing() -> None:
    exif = Image.Exif()
    exif[0x9C9B] = (1000, 2)  # XPTitle
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=exif)
    answer, _ = picture_task.work(file)
    assert answer["width"] == 8


def test_what_stands_before_a_document_is_not_its_version() -> None:
    found = DocumentParser().parse(
        bytes_source(b"\xef\xbb\xbf" + media.pdf()), name="x", progress=lambda _: None
    )
    assert found.format_version.startswith("1.")
