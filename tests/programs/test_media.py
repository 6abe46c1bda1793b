"""Recordings of ffmpeg, pictures of ImageMagick that exiftool described, subtitles."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs.support import described, licences, names, program

pytestmark = pytest.mark.programs

_TAGS = {
    "title": "The sound of a river",
    "artist": "Ada Lovelace",
    "comment": "Heard at night",
    "copyright": "CC BY-SA 4.0",
}


@pytest.mark.parametrize(
    ("ending", "media_type"),
    [
        ("mp4", "video/mp4"),
        ("mkv", "video/x-matroska"),
        ("webm", "video/webm"),
        ("mp3", "audio/mpeg"),
        ("ogg", "audio/ogg"),
        ("flac", "audio/flac"),
        ("m4a", "audio/x-m4a"),
        ("wav", "audio/x-wav"),
    ],
)
def test_recordings_of_ffmpeg(ending: str, media_type: str, tmp_path: Path) -> None:
    shown = media_type.startswith("video/")
    picture = ["-f", "lavfi", "-i", "testsrc=size=320x240:rate=10:duration=3"] if shown else []
    tags = [part for key, value in _TAGS.items() for part in ("-metadata", f"{key}={value}")]
    program("ffmpeg")(
        *picture,
        *("-f", "lavfi", "-i", "sine=frequency=440:duration=3"),
        *tags,
        f"river.{ending}",
        folder=tmp_path,
    )
    found = described(tmp_path / f"river.{ending}")
    assert (found["format"], found["media_type"]) == ("video" if shown else "audio", media_type)
    assert found["title"] == _TAGS["title"]
    assert names(found) == [_TAGS["artist"]]
    assert found["description"] == _TAGS["comment"]
    assert licences(found) == [_TAGS["copyright"]]
    assert found["facts"]["duration"] == pytest.approx(3.0, abs=0.1)
    if shown:
        assert (found["facts"]["width"], found["facts"]["height"]) == (320, 240)
        assert found["cover"] == "."


@pytest.mark.parametrize(("ending", "version"), [("srt", "srt"), ("vtt", "vtt"), ("ass", "ass")])
def test_subtitles_of_ffmpeg(ending: str, version: str, tmp_path: Path) -> None:
    (tmp_path / "said.srt").write_text("1\n00:00:01,000 --> 00:00:04,500\nThe source of a river\n", "utf-8")
    program("ffmpeg")("-i", "said.srt", f"river.{ending}", folder=tmp_path)
    found = described(tmp_path / f"river.{ending}")
    assert (found["format"], found["format_version"]) == ("subtitles", version)
    assert found["facts"] == {"cues": 1, "duration": 4.5}
    assert "The source of a river" in found["text"]


@pytest.mark.parametrize("ending", ["jpg", "png", "gif", "tiff", "webp"])
def test_pictures_that_exiftool_described(ending: str, tmp_path: Path) -> None:
    name = f"river.{ending}"
    program("convert")("-size", "320x200", "gradient:blue-green", name, folder=tmp_path)
    program("exiftool")(
        "-overwrite_original",
        "-XMP-dc:Title=The mouth of a river",
        "-XMP-dc:Creator=Ada Lovelace",
        "-XMP-dc:Description=Where it ends",
        "-XMP-dc:Subject=water",
        "-XMP-xmpRights:WebStatement=https://creativecommons.org/licenses/by/4.0/",
        "-XMP-exif:GPSLatitude=48.1",
        name,
        folder=tmp_path,
    )
    found = described(tmp_path / name)
    assert found["format"] == "image"
    assert found["title"] == "The mouth of a river"
    assert names(found) == ["Ada Lovelace"]
    assert found["description"] == "Where it ends"
    assert found["keywords"] == ["water"]
    assert licences(found) == ["https://creativecommons.org/licenses/by/4.0/"]
    assert (found["facts"]["width"], found["facts"]["height"]) == (320, 200)
    assert [finding["code"] for finding in found["findings"]] == ["location"]


def test_exif_and_iptc(tmp_path: Path) -> None:
    program("convert")("-size", "64x48", "xc:navy", "river.jpg", folder=tmp_path)
    program("exiftool")(
        "-overwrite_original",
        "-IPTC:ObjectName=A brook",
        "-IPTC:By-line=Grace Hopper",
        "-IPTC:Keywords=spring",
        "-EXIF:ImageDescription=Seen from above",
        "-EXIF:Copyright=All rights reserved",
        "-EXIF:GPSLatitude=48.1",
        "-EXIF:GPSLatitudeRef=N",
        "river.jpg",
        folder=tmp_path,
    )
    found = described(tmp_path / "river.jpg")
    assert found["title"] == "A brook"
    assert names(found) == ["Grace Hopper"]
    assert found["description"] == "Seen from above"
    assert found["keywords"] == ["spring"]
    assert licences(found) == ["All rights reserved"]
    assert [finding["code"] for finding in found["findings"]] == ["location"]
