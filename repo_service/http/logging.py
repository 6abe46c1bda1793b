"""Logs: one JSON object a line on standard error, ours and those of the libraries alike."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from repo_service.http import request_ids
from repo_service.http.observation import Answered


@dataclass(slots=True)
class _Access:
    """How this process writes its access log."""

    enabled: bool = True
    encode: Callable[[dict[str, object]], str] = json.JSONEncoder(ensure_ascii=False).encode
    stream: TextIO | None = None


_access = _Access()


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
        # With rich installed, tracebacks would show the values of variables, passwords among them.
        [
            structlog.dev.ConsoleRenderer(
                colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
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
    _access.enabled = root.isEnabledFor(logging.INFO)
    _access.encode = _sentence if style == "console" else _Access().encode
    _access.stream = stream
    # It warns of every malformed form, byte by byte; the problem that is answered says the same.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    # It tells of every hint; what jobs do is told by their rows and by our own lines.
    logging.getLogger("huey").setLevel(logging.WARNING)


def log_answered(answered: Answered) -> None:
    """The access log: an observer for ``observation.register``. It does not pass through structlog, which
    would take as long as answering a small request does."""
    if not _access.enabled:
        return
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
    out = _access.stream or sys.stderr
    out.write(_access.encode(line) + "\n")
    out.flush()


def _sentence(line: dict[str, object]) -> str:
    return "{timestamp} {method} {path!r} {status} in {ms} ms, {sent} bytes".format_map(line)


def _add_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if "request_id" not in event and (request_id := request_ids.current()):
        event["request_id"] = request_id
    return event
