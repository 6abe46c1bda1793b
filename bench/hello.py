"""The floor of small answers: a bare Flask application on the server that ours runs on, set up alike."""

from __future__ import annotations

from flask import Flask

from repo_service.serving import web_server
from repo_service.settings import Settings

app = Flask(__name__)


@app.get("/")
def hello() -> str:
    return "hello"


if __name__ == "__main__":
    web_server(Settings(), "bench.hello:app").serve()
