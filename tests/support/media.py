"""Pictures, PDF documents and recordings, made in code, with known metadata."""

from __future__ import annotations

import io
import math
from array import array
from typing import Literal

import av
from PIL import ExifTags, Image, PngImagePlugin

XMP = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/"
 xmlns:cc="http://creativecommons.org/ns#" xmpRights:WebStatement="https://creativecommons.org/licenses/by-sa/4.0/">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">The mouth of a river</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>Ada Lovelace</rdf:li><rdf:li>Bob</rdf:li></rdf:Seq></dc:creator>
<dc:subject><rdf:Bag><rdf:li>water</rdf:li><rdf:li>sea</rdf:li></rdf:Bag></dc:subject>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">Where it ends</rdf:li></rdf:Alt></dc:description>
<cc:license rdf:resource="https://creativecommons.org/licenses/by-sa/4.0/"/>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


DRAWING = b"""<?xml version="1.0" encoding="UTF-8"?>
<!-- by hand -->
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns="http://www.w3.org/2000/svg" width="120px" height="80" viewBox="0 0 120 80">
<title>A delta</title><desc>Seen from above</desc>
<metadata><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:cc="http://creativecommons.org/ns#" xmlns:dc="http://purl.org/dc/elements/1.1/"><cc:Work rdf:about="">
<dc:creator><cc:Agent><dc:title>Ada Lovelace</dc:title></cc:Agent></dc:creator>
<dc:subject><rdf:Bag><rdf:li>water</rdf:li></rdf:Bag></dc:subject>
<cc:license rdf:resource="https://creativecommons.org/licenses/by/4.0/"/></cc:Work></rdf:RDF></metadata>
<text x="1" y="9">Many arms</text></svg>
"""


def picture(
    format_: str = "JPEG", *, xmp: bytes = b"", located: bool = False, size: tuple[int, int] = (64, 48)
) -> bytes:
    """A picture with EXIF, and what else is asked for."""
    image = Image.new("RGB", size, (20, 120, 80))
    exif = image.getexif()
    exif[ExifTags.Base.ImageDescription] = "A river"
    exif[ExifTags.Base.Artist] = "Grace Hopper"
    exif[ExifTags.Base.Copyright] = "CC BY 4.0"
    if located:
        exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (48.0, 8.0, 0.0), 3: "E", 4: (11.0, 34.0, 0.0)})
    file = io.BytesIO()
    if format_ == "PNG":
        said = PngImagePlugin.PngInfo()
        said.add_text("Title", "A river")
        said.add_text("Author", "Grace Hopper")
        said.add_text("Copyright", "CC BY 4.0")
        image.save(file, format_, pnginfo=said)
    elif xmp:
        image.save(file, format_, exif=exif, xmp=xmp)
    else:
        image.save(file, format_, exif=exif)
    return file.getvalue()


def pdf(*, xmp: bytes = XMP, title: str = "A river (PDF)", pages: int = 2) -> bytes:
    """A document whose text, outline, information and metadata are known. ISO 32000-1, 7.5."""
    numbers = [*range(10, 10 + 2 * pages, 2)]
    kids = " ".join(f"{number} 0 R" for number in numbers)
    objects = {
        1: b"<</Type/Catalog/Pages 2 0 R/Lang(en-GB)/Metadata 3 0 R/Outlines 4 0 R>>",
        2: f"<</Type/Pages/Kids[{kids}]/Count {pages}>>".encode(),
        3: b"<</Type/Metadata/Subtype/XML/Length %d>>\nstream\n%s\nendstream" % (len(xmp), xmp),
        4: b"<</Type/Outlines/First 5 0 R/Last 5 0 R/Count 2>>",
        5: b"<</Title(Source)/Parent 4 0 R/Dest[10 0 R/Fit]/First 6 0 R/Last 6 0 R/Count 1>>",
        6: b"<</Title(A spring)/Parent 5 0 R/Dest[10 0 R/Fit]>>",
        7: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        8: f"<</Title({title.replace('(', chr(92) + '(').replace(')', chr(92) + ')')})"
        "/Author(Grace Hopper)/Subject(From spring to sea)/Keywords(rivers, lakes)>>".encode(),
    }
    for number in numbers:
        content = f"BT /F 24 Tf 72 700 Td (Page {(number - 8) // 2} of a river) Tj ET".encode()
        objects[number] = (
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F 7 0 R>>>>"
            b"/Contents %d 0 R>>" % (number + 1)
        )
        objects[number + 1] = b"<</Length %d>>\nstream\n%s\nendstream" % (len(content), content)
    out = bytearray(b"%PDF-1.7\n")
    places = {}
    for number, body in objects.items():
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    begin, last = len(out), max(objects)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (last + 1)
    for number in range(1, last + 1):
        out += b"%010d 00000 %s \n" % (places.get(number, 0), b"n" if number in places else b"f")
    out += b"trailer\n<</Size %d/Root 1 0 R/Info 8 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (last + 1, begin)
    return bytes(out)


def recording(
    kind: Literal["matroska", "mp4", "ogg", "wav", "flac"] = "matroska",
    *,
    video: bool = True,
    located: bool = False,
) -> bytes:
    """Two seconds of a picture that gets brighter, or of a tone, with tags."""
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as container:
        container.metadata.update(
            {
                "title": "The sound of a river",
                "artist": "Ada Lovelace",
                "comment": "Heard at night",
                "copyright": "CC BY-SA 4.0",
                **({"location": "+48.1333+011.5667/"} if located else {}),
            }
        )
        if video:
            shown = container.add_stream("mpeg4", rate=10)
            shown.width, shown.height, shown.pix_fmt = 64, 48, "yuv420p"
            for number in range(20):
                image = Image.new("RGB", (64, 48), (number * 10, 60, 90))
                container.mux(shown.encode(av.VideoFrame.from_image(image)))  # type: ignore[no-untyped-call]
            container.mux(shown.encode(None))
        else:
            heard = container.add_stream("flac" if kind in ("flac", "ogg") else "pcm_s16le", rate=8000)
            heard.layout = "mono"
            for second in range(2):
                tone = array("h", (int(9000 * math.sin(at / 4)) for at in range(8000)))
                frame = av.AudioFrame(format="s16", layout="mono", samples=8000)
                frame.planes[0].update(tone.tobytes())
                frame.sample_rate, frame.pts = 8000, 8000 * second
                container.mux(heard.encode(frame))
            container.mux(heard.encode(None))
    return file.getvalue()
