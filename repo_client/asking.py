"""One request and its answer: what is tried again, and what becomes an exception."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx

from repo_client.errors import Problem, Unreachable

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})
"""Methods that are tried again as they are (RFC 9110, section 9.2.2)."""
_LATER: Final = frozenset({429, 503})
_IN_USE: Final = "idempotency-key-in-use"
_LONGEST_PAUSE: Final = 30.0


class Asker:
    """Asks one service as one account. ``sleep`` is told seconds."""

    def __init__(self, http: httpx.Client, *, attempts: int, sleep: Callable[[float], None]) -> None:
        self._http = http
        self.attempts = attempts
        self._sleep = sleep

    def ask(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        again: bool = False,
        once_only: bool = False,
    ) -> httpx.Response:
        """The answer to a request, which is sent again where that is harmless: by its method, because
        ``again`` says so, or ``once_only``, which gives it a key of its own, by which it is done once however
        often it comes.

        Raises Problem, Unreachable.
        """
        sent = dict(headers or {})
        if once_only:
            sent["Idempotency-Key"] = f'"{uuid.uuid4()}"'
        again = again or once_only or method in _IDEMPOTENT
        for attempt in range(1, self.attempts + 1):
            is_last = attempt == self.attempts or not again
            try:
                return self.once(method, url, json=json, params=params, headers=sent)
            except httpx.TransportError as error:
                if is_last:
                    raise Unreachable(f"{url}: {error or type(error).__name__}") from error
                wanted = None
            except Problem as problem:
                if is_last or (problem.status not in _LATER and problem.code != _IN_USE):
                    raise
                wanted = problem.retry_after
            self.pause(attempt, wanted)
        raise AssertionError("the last attempt ends this")

    def json(self, method: str, url: str, **request: Any) -> Any:
        """The JSON of the answer. Raises as ``ask``."""
        return self.ask(method, url, **request).json()

    def once(self, method: str, url: str, **request: Any) -> httpx.Response:
        """The answer to one request. Raises Problem, httpx.TransportError."""
        response = self._http.request(method, url, **request)
        _require_success(response)
        return response

    @contextmanager
    def stream(self, url: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """An answer whose body is read as it comes. Raises Problem, httpx.TransportError."""
        # It may lie in a bucket. Nobody else is shown the token.
        with self._http.stream("GET", url, headers=dict(headers), follow_redirects=True) as response:
            if not response.is_success:
                response.read()
            _require_success(response)
            yield response

    def pause(self, attempt: int, wanted: float | None) -> None:
        """Wait, longer each time and never as long as others, or as long as the service wants."""
        own = min(0.5 * 2.0 ** (attempt - 1), _LONGEST_PAUSE) * random.uniform(0.75, 1.25)  # noqa: S311
        self._sleep(own if wanted is None else max(own, wanted))


def _require_success(response: httpx.Response) -> None:
    if response.is_success:
        return
    try:
        body: Any = response.json()
    except ValueError:  # something before the service answers in its place
        body = None
    if not isinstance(body, dict):
        body = {"detail": response.reason_phrase}
    raise Problem(response.status_code, body)
