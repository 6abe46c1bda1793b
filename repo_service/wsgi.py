"""The web application as a WSGI server imports it."""

from __future__ import annotations

import multiprocessing
import signal

from repo_service import importing, lifetime

with importing.kept():
    from repo_service.app import create_app
    from repo_service.http import logging
    from repo_service.settings import Settings

# A process of the server begins with its parent's handlers, which would swallow a stop that comes this early.
for _number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(_number, signal.SIG_DFL)
if (_server := multiprocessing.parent_process()) is not None and _server.pid is not None:
    lifetime.end_with(_server.pid)

_settings = Settings()
logging.configure(level=_settings.log_level, style=_settings.log_format)
app = create_app(_settings)
