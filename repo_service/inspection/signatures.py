"""Formats that are known by how their files begin."""

from __future__ import annotations

import re
from typing import ClassVar

from repo_service.inspection.limits import LIMITS, Limits


class SignatureParser:
    """What parsers of such formats have alike."""

    signature: ClassVar[re.Pattern[bytes]]
    """How a file begins, within the ``HEAD_SIZE`` bytes that are looked at."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits

    def sniff(self, head: bytes, name: str) -> bool:
        """Whether the first bytes look like this format."""
        return self.signature.match(head) is not None
