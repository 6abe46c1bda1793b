"""Archives made to hurt: each function writes one and returns its path. See ``backups`` for sound ones."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.support.backups import members, write_zip

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_MIB = 1024 * 1024

BILLION_LAUGHS = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE x [<!ENTITY a "lol">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><files><file><filename>&j;</filename></file></files>"
)
EXTERNAL_ENTITY = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    b"<course><fullname>&a;</fullname><summary>&a;</summary></course>"
)
EXTERNAL_DTD = b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE course SYSTEM "http://127.0.0.1:9/x.dtd"><course></course>'


def raw_zip(
    path: Path,
    entries: Iterable[tuple[bytes, bytes]],
    *,
    flags: int = 0,
    method: int | None = None,
    claim: int | None = None,
    directory_offset_error: int = 0,
    local_name: bytes | None = None,
    shared_offset: bool = False,
) -> Path:
    """A zip written record by record (stored members), so that each record can lie."""
    central: list[bytes] = []
    with path.open("wb") as file:
        for name, data in entries:
            crc = zlib.crc32(data)
            offset = 0 if shared_offset else file.tell()
            used = 0 if method is None else method
            local = (b"PK\x03\x04", 20, flags, used, 0, 0, crc, len(data), len(data), len(name), 0)
            file.write(_LOCAL.pack(*local) + (local_name or name) + data)
            head = (
                b"PK\x01\x02",
                20,
                20,
                flags,
                used,
                0,
                0,
                crc,
                len(data),
                len(data),
                len(name),
                0,
                0,
                0,
                0,
                0,
            )
            central.append(_CENTRAL.pack(*head, offset) + name)
        start = file.tell()
        file.write(b"".join(central))
        size = file.tell() - start
        count = len(central) if claim is None else claim
        if count <= 0xFFFF:
            file.write(_END.pack(b"PK\x05\x06", 0, 0, count, count, size, start + directory_offset_error, 0))
        else:
            record = file.tell()
            file.write(
                struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
            )
            file.write(struct.pack("<4sIQI", b"PK\x06\x07", 0, record, 1))
            file.write(_END.pack(b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0))
    return path


def encoded_members() -> list[tuple[bytes, bytes]]:
    """A sound backup for ``raw_zip``."""
    return [(name.encode(), data) for name, data in members().items()]


def zip_with_many_entries(path: Path, count: int) -> Path:
    """A sound backup with ``count`` more files in its pool."""
    pool = ((b"files/%02x/%040x" % (n % 256, (n % 256 << 152) + n), b"") for n in range(count))
    return raw_zip(path, [*encoded_members(), *pool])


def targz_with_many_entries(path: Path, count: int) -> Path:
    """A sound backup with ``count`` more files in its pool."""
    with gzip.open(path, "wb", compresslevel=0) as file:
        for name, data in members().items():
            file.write(_tar_member(name.encode(), data))
        for n in range(count):
            file.write(_tar_member(b"files/%02x/%040x" % (n % 256, (n % 256 << 152) + n), b""))
        file.write(bytes(1024))
    return path


def zip_bomb(path: Path, *, inflated: int = 1024 * _MIB) -> Path:
    """files.xml inflates a thousandfold."""
    content = {name: data for name, data in members().items() if name != "files.xml"}
    write_zip(path, content)
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("files.xml", "w") as member,
    ):
        member.write(b'<?xml version="1.0" encoding="UTF-8"?>\n<files>')
        for _ in range(inflated // _MIB):
            member.write(b" " * _MIB)
        member.write(b"</files>")
    return path


def tar_bomb(path: Path, *, inflated: int = 64 * 1024 * _MIB) -> Path:
    """One member of zeros that inflates a thousandfold; gzip parts repeat, so it is quickly written."""
    block = 64 * _MIB
    zeros = gzip.compress(bytes(block), 9)
    with path.open("wb") as file:
        file.write(gzip.compress(_tar_header(b"files/da/" + b"da" * 20, inflated // block * block)))
        for _ in range(inflated // block):
            file.write(zeros)
        file.write(gzip.compress(_tar_members(members()) + bytes(1024)))
    return path


def targz_with(path: Path, *extra: tarfile.TarInfo, content: Mapping[str, bytes] | None = None) -> Path:
    """A sound backup whose archive also has these members (without data), in GNU format."""
    with tarfile.open(path, "w:gz", format=tarfile.GNU_FORMAT, compresslevel=1) as archive:
        for info in extra:
            archive.addfile(info)
        for name, data in (members() if content is None else content).items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def tar_link(name: str, target: str, *, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """A member that is a link or a device."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_with_symlink(path: Path) -> Path:
    """A sound backup with a symbolic link beside it."""
    write_zip(path, members())
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("files/passwd")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return path


def _tar_members(content: Mapping[str, bytes]) -> bytes:
    return b"".join(_tar_member(name.encode(), data) for name, data in content.items())


def _tar_member(name: bytes, data: bytes) -> bytes:
    return _tar_header(name, len(data)) + data + bytes(-len(data) % 512)


def _tar_header(name: bytes, size: int) -> bytes:
    digits = b"%011o\0" % size if size < 8**11 else b"\x80" + size.to_bytes(11, "big")
    header = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + digits + b"00000000000\0"
    rest = b"0" + bytes(100) + b"ustar\x0000" + bytes(247)
    checksum = sum(header) + sum(rest) + 8 * 32
    return header + b"%06o\0 " % checksum + rest
