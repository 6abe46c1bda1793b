"""Tells observers (the access log, the metrics) of every request once its response has been sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from flask import Flask, Response, g, request

from repo_service.http import body, request_ids

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A request that was answered.

    ``endpoint`` is Flask's, empty where no rule matched; ``method`` is ``OTHER`` for unusual ones, so that
    neither can grow without bound. ``path`` has no query: signed links carry their secret there.
    ``received`` and ``sent`` are bytes of the bodies, ``seconds`` last until the final byte was handed over.
    ``whole`` is False when the client went away or the body broke off.
    """

    method: str
    endpoint: str
    path: str
    status: int
    seconds: float
    received: int
    sent: int
    whole: bool
    account: str
    request_id: str


Observer = Callable[[Answered], None]


def register(app: Flask, *observers: Observer, account: Callable[[], str] = str) -> None:
    """Call ``observers`` after every request. Register this first: what is registered later is timed too.

    ``account`` says who asks, empty for the public; it is called within the request.
    """

    @app.before_request
    def _start() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def _observe(response: Response) -> Response:
        started = g.get("started") or time.perf_counter()
        answered = Answered(
            method=request.method if request.method in _METHODS else "OTHER",
            endpoint=request.endpoint or "",
            path=request.path,
            status=response.status_code,
            seconds=time.perf_counter() - started,
            received=_received(),
            sent=0,
            whole=True,
            account=account(),
            request_id=request_ids.current(),
        )

        def tell(sent: int, whole: bool) -> None:
            told = replace(answered, sent=sent, whole=whole, seconds=time.perf_counter() - started)
            for observer in observers:
                observer(told)

        bodiless = request.method == "HEAD" or response.status_code in {204, 304}
        if response.is_streamed and not bodiless:
            response.response = _Counted(response, tell)
        else:
            tell(0 if bodiless else response.calculate_content_length() or 0, True)
        return response


def _received() -> int:
    read: int | None = request.environ.get(body.RECEIVED_KEY)
    return request.content_length or 0 if read is None else read


class _Counted:
    """A response's body, counted. Closes the body it stands for."""

    def __init__(self, response: Response, tell: Callable[[int, bool], None]) -> None:
        self._body = response.response
        self._blocks = response.iter_encoded()
        self._tell = tell
        self._sent = 0
        self._whole = False
        self._told = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            block = next(self._blocks)
        except StopIteration:
            self._whole = True
            self._finish()
            raise
        self._sent += len(block)
        return block

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is not None:
            close()
        self._finish()

    def _finish(self) -> None:
        if not self._told:
            self._told = True
            self._tell(self._sent, self._whole)
