"""What can go wrong, as exceptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class RepositoryError(Exception):
    """Base of all of these."""


class Unreachable(RepositoryError):
    """The service did not answer, however often it was asked."""


class UploadFailed(RepositoryError):
    """The bytes arrived, and the service did not keep them; the message says why."""


class WrongSignature(RepositoryError):
    """A message to a webhook is not from the service, was altered, or is too old."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one value: ``pointer`` is a JSON Pointer (RFC 6901) into what was sent."""

    pointer: str
    detail: str


class Problem(RepositoryError):
    """The service refused (RFC 9457). ``code`` is one of those of docs/errors.md and never changes its
    meaning; ``fields`` are the members that this code has beside those of all. ``request_id`` is what its
    operators want to know."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(body.get("code", ""))
        self.detail = str(body.get("detail", ""))
        self.advice = str(body.get("advice", ""))
        self.request_id = str(body.get("request_id", ""))
        self.errors: Sequence[FieldError] = tuple(
            FieldError(str(error["pointer"]), str(error["detail"])) for error in body.get("errors") or ()
        )
        self.fields = {name: value for name, value in body.items() if name not in _OF_ALL}
        super().__init__(f"{self.code or status}: {self.detail}")

    @property
    def retry_after(self) -> float | None:
        """Seconds after which it may be done, where the service said so."""
        value = self.fields.get("retry_after")
        return float(value) if isinstance(value, (int, float)) else None


_OF_ALL = frozenset({"detail", "title", "status", "code", "type", "advice", "request_id", "errors"})
