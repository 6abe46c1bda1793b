"""Logs: one JSON object a line on standard error, ours and those of the libraries alike."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from repo_service.http import request_ids
from repo_service.http.observation import Answered


def configure(*, level: str, style: str, stream: TextIO | None = None) -> None:
    """Set up logging for this process. ``level`` as in ``logging``; ``style`` is ``json`` or ``console``."""
    out = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_request_id,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    finish: list[Processor] = (
        [structlog.dev.ConsoleRenderer(colors=out.isatty())]
        if style == "console"
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    structlog.configure(
        processors=[*shared, *finish],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # It warns of every malformed form, byte by byte; the problem that is answered says the same.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    # It tells of every hint; what jobs do is told by their rows and by our own lines.
    logging.getLogger("huey").setLevel(logging.WARNING)


class AccessLog:
    """One line a request: an observer for ``observation.register``. Written past structlog, which would take as
    long as answering a small request does."""

    def __init__(self, *, style: str, stream: TextIO | None = None) -> None:
        self._out = sys.stderr if stream is None else stream
        self._encode = json.JSONEncoder(ensure_ascii=False).encode if style == "json" else _sentence

    def __call__(self, answered: Answered) -> None:
        line = {
            "event": "request",
            "level": "info",
            "timestamp": datetime.now(UTC).isoformat(),
            "method": answered.method,
            "path": answered.path,
            "status": answered.status,
            "ms": round(answered.seconds * 1000, 2),
            "received": answered.received,
            "sent": answered.sent,
            "whole": answered.whole,
            "account": answered.account,
            "request_id": answered.request_id,
        }
        self._out.write(self._encode(line) + "\n")
        self._out.flush()


def _sentence(line: dict[str, object]) -> str:
    return "{timestamp} {method} {path!r} {status} in {ms} ms, {sent} bytes".format_map(line)


def _add_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if "request_id" not in event and (request_id := request_ids.current()):
        event["request_id"] = request_id
    return event
