"""What a stock Moodle 4.5 sends, as it was recorded: headers, order and framing of the parts."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

CREATE = "/.pkg/@moodlenet/ed-resource/basic/v1/create"
USER_AGENT = "MoodleBot/4.5 (+http://moodle.example)"


@dataclass(frozen=True, kw_only=True)
class Share:
    """One "Share to MoodleNet". ``said`` is the JSON of the first part; None leaves the part out."""

    content: bytes
    file_name: str = "page_backup.mbz"
    said: str | None = ""
    boundary: str = field(default_factory=lambda: secrets.token_hex(20))

    @classmethod
    def of(cls, content: bytes, name: str, description: str, file_name: str = "page_backup.mbz") -> Share:
        """As PHP's json_encode has it: ASCII, slashes escaped, no spaces."""
        said = json.dumps({"name": name, "description": description}, separators=(",", ":"))
        return cls(content=content, file_name=file_name, said=said.replace("/", "\\/"))

    def head(self) -> bytes:
        """The body up to the first byte of the package."""
        parts = b""
        if self.said is not None:
            said = self.said.encode()
            parts = self._part('name="."', said, {"Content-Length": str(len(said))})
        headers = {
            "Content-Type": "application/vnd.moodle.backup",
            "Content-Transfer-Encoding": "binary",
            "Content-Length": str(len(self.content)),
        }
        last = self._part(f'name=".resource"; filename="{self.file_name}"', b"", headers)
        return parts + last.removesuffix(b"\r\n")

    @property
    def tail(self) -> bytes:
        """What follows the package."""
        return f"\r\n--{self.boundary}--\r\n".encode()

    @property
    def body(self) -> bytes:
        return self.head() + self.content + self.tail

    @property
    def headers(self) -> dict[str, str]:
        return {
            "User-Agent": USER_AGENT,
            "Content-Type": f"multipart/form-data; boundary={self.boundary}",
        }

    def _part(self, disposition: str, content: bytes, headers: Mapping[str, str]) -> bytes:
        lines = {"Content-Disposition": f"form-data; {disposition}", **headers}
        told = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"--{self.boundary}\r\n{told}\r\n".encode() + content + b"\r\n"

    def send(self, client: FlaskClient) -> TestResponse:
        """Over a test client, which shows the token of whoever it is."""
        return client.post(CREATE, data=self.body, headers=self.headers)


def strip_tags(text: str) -> str:
    """What PHP's ``strip_tags`` leaves of a text (``php_strip_tags_impl``, without quotes in tags)."""
    return "".join(_outside(text))


def _outside(text: str) -> Iterator[str]:
    within = False
    for at, character in enumerate(text):
        following = text[at + 1 : at + 2]
        if within:
            within = character != ">"
        elif character == "<" and not following.isspace():
            within = True
        else:
            yield character
