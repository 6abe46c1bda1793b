"""Tells observers (the access log, the metrics) of every request once its response has been sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flask import Flask, Request, Response, g
from flask.globals import request_ctx

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
        started: float = g.get("started") or time.perf_counter()
        asked = request_ctx.request  # the proxy is paid for at every look
        method = asked.method
        status = response.status_code
        who, request_id = account(), request_ids.current()

        def tell(sent: int, whole: bool) -> None:
            answered = Answered(
                method=method if method in _METHODS else "OTHER",
                endpoint=asked.endpoint or "",
                path=asked.path,
                status=status,
                seconds=time.perf_counter() - started,
                received=_received(asked),
                sent=sent,
                whole=whole,
                account=who,
                request_id=request_id,
            )
            for observer in observers:
                observer(answered)

        if method == "HEAD" or status in {204, 304}:
            tell(0, True)
        elif response.is_streamed:
            response.response = _Counted(response, tell)
        else:
            tell(response.calculate_content_length() or 0, True)
        return response


def _received(asked: Request) -> int:
    read: int | None = asked.environ.get(body.RECEIVED_KEY)
    return asked.content_length or 0 if read is None else read


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
