"""Resources that tests of pages need: made through the API, looked at through the pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.service import Service, json_of, send_file
from tests.web.visitor import Visitor


class Shared:
    """A resource, its owner's token, and the bytes that went in."""

    def __init__(self, service: Service, path: Path, *, username: str = "teacher", **metadata: Any) -> None:
        self.service = service
        self.token = service.token(username)
        self.bytes = path.read_bytes()
        made = json_of(
            send_file(service.client(self.token), self.bytes, file_name=path.name, **metadata), 201
        )
        self.id: str = made["id"]
        self.url = f"/resources/{self.id}"

    @property
    def owner(self) -> Visitor:
        """The owner, signed in anew."""
        return Visitor(self.service, self.token)

    @property
    def public(self) -> Visitor:
        """Somebody else, not signed in."""
        return Visitor(self.service)

    def json(self) -> Any:
        """The resource as the API gives it to its owner."""
        return json_of(self.service.client(self.token).get(f"/api/v1{self.url}"))
