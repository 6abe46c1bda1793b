"""JSON that other people send: what Python's parser refuses in its own ways is malformed, nothing else."""

from __future__ import annotations

import json
from typing import Any

from flask.json.provider import DefaultJSONProvider


def parse(text: str | bytes) -> Any:
    """The value of ``text``. Raises ValueError, also for nesting and numbers beyond the parser's limits."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


class BoundedJSON(DefaultJSONProvider):
    """Flask's JSON, for which a malformed body is a ValueError in every case."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """As ``parse``."""
        return parse(s)
