"""What can go wrong in the terms of the catalogue. An error carries a code and typed fields, and no HTTP status:
``http/problems.py`` is the one place that knows how each code is answered."""

from __future__ import annotations

from typing import ClassVar


class DomainError(Exception):
    """Base of every error that a use case raises on purpose. ``detail`` is said to the person who asked."""

    code: ClassVar[str]

    def __init__(self, detail: str, **fields: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = fields


class InvalidFile(DomainError):
    """The file is not what it claims to be, is damaged, or breaks a limit of the inspection.

    ``reason`` is a stable word for software, such as ``truncated`` or ``too-many-entries``.
    """

    code = "invalid-file"

    def __init__(self, detail: str, *, reason: str, place: str = "") -> None:
        super().__init__(detail, reason=reason, place=place)
        self.reason = reason
        self.place = place


class InvalidCursor(DomainError):
    """The paging cursor was not made by this service, or belongs to another question."""

    code = "invalid-cursor"
