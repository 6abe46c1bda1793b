"""Pictures, read by Pillow: size, EXIF, IPTC, XMP, comments."""

from __future__ import annotations

import base64
from typing import Any, BinaryIO

from PIL import ExifTags, Image, ImageOps, IptcImagePlugin

from repo_service.inspection.media.shrinking import require_small, thumbnails
from repo_service.inspection.media.sizes import SIZES

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "AVIF", "BMP")
MAX_XMP = 1 << 20
_MAX_TEXT = 10_000

Image.init()  # its plugins are registered now: nothing can be imported once the process is confined

# EXIF 2.32, 4.6.4; the last four are Windows' own, in UTF-16.
_TAGS = {
    ExifTags.Base.ImageDescription: "description",
    ExifTags.Base.Artist: "artist",
    ExifTags.Base.Copyright: "copyright",
    ExifTags.Base.XPTitle: "title",
    ExifTags.Base.XPComment: "description",
    ExifTags.Base.XPAuthor: "artist",
    ExifTags.Base.XPKeywords: "keywords",
}
# IPTC IIM 4.2, record 2.
_IPTC = {
    (2, 5): "title",
    (2, 25): "keywords",
    (2, 80): "artist",
    (2, 116): "copyright",
    (2, 120): "description",
}
# PNG 3rd edition, 11.3.3.1.
_COMMENTS = {"Title": "title", "Author": "artist", "Description": "description", "Copyright": "copyright"}
_LATITUDE = 2  # EXIF 2.32, 4.6.6
_GPS = 0x8825
_GIF_XMP = b"\x21\xff\x0bXMP DataXMP"
_GIF_READ = 16 << 20


def work(file: BinaryIO) -> tuple[dict[str, Any], list[bytes]]:
    """``fields`` are (name, text), in the order of their trustworthiness; ``xmp`` is base64."""
    with Image.open(file, formats=FORMATS) as image:
        exif = image.getexif()
        fields = [(name, _text(exif[tag])) for tag, name in _TAGS.items() if tag in exif]
        fields += _from_iptc(image)
        fields += [
            (name, _text(image.info[key]))
            for key, name in _COMMENTS.items()
            if isinstance(image.info.get(key), str | bytes)
        ]
        xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
        if image.format == "GIF":
            xmp = _xmp_of_gif(file)
        xmp = xmp.encode() if isinstance(xmp, str) else xmp
        return {
            "width": image.width,
            "height": image.height,
            "format": image.format,
            "frames": int(getattr(image, "n_frames", 1)),
            "location": _LATITUDE in exif.get_ifd(_GPS),
            "fields": [(name, text) for name, text in fields if text],
            "xmp": base64.b64encode(xmp[:MAX_XMP]).decode("ascii"),
        }, []


def _xmp_of_gif(file: BinaryIO) -> bytes:
    """It stands as it is in an application extension (XMP part 3, 1.1.2), which Pillow passes over."""
    file.seek(0)
    data = file.read(_GIF_READ)
    begin = data.find(_GIF_XMP)
    end = data.find(b"<?xpacket end", begin)
    return b"" if min(begin, end) < 0 else data[begin + len(_GIF_XMP) : end + len(b"<?xpacket end='w'?>")]


def show(file: BinaryIO) -> tuple[dict[str, Any], list[bytes]]:
    """The first picture of the file, the right way up."""
    with Image.open(file, formats=FORMATS) as image:
        require_small(*image.size)
        image.draft("RGB", SIZES[-1])  # a JPEG is not unpacked whole
        return {}, thumbnails(ImageOps.exif_transpose(image))


def _from_iptc(image: Image.Image) -> list[tuple[str, str]]:
    try:
        found = IptcImagePlugin.getiptcinfo(image) or {}  # type: ignore[arg-type]
    except (SyntaxError, ValueError, KeyError, TypeError):
        return []
    said = []
    for key, name in _IPTC.items():
        values = found.get(key)
        said += [
            (name, _text(value)) for value in (values if isinstance(values, list) else [values]) if value
        ]
    return said


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        try:
            value = bytes(value)
        except (ValueError, TypeError):  # numbers where a text should be
            return ""
    if isinstance(value, bytes):
        is_wide = value[1::2].count(0) * 4 > len(value)
        value = value.decode("utf-16-le" if is_wide else "utf-8", "replace")
    return str(value).strip("\0 \r\n\t")[:_MAX_TEXT]
