"""Places on our pages where other parts of the service put something of their own."""

from __future__ import annotations

from enum import StrEnum

from flask import Flask

_EXTENSION = "repo_slots"


class Slot(StrEnum):
    """Where it goes. Its template sees what the page's sees."""

    TOP = "top"
    """Above every page; what stands there says itself on which it shows."""
    DOWNLOAD = "download"
    """Below the download button of a resource. It shows everybody the same of it: the page is kept."""


def register(app: Flask) -> None:
    """Let templates ask what stands in a slot."""
    app.extensions[_EXTENSION] = {slot.value: [] for slot in Slot}
    app.jinja_env.globals["slots"] = app.extensions[_EXTENSION]


def fill(app: Flask, slot: Slot, template: str) -> None:
    """Have ``template`` included there, after those that are there already."""
    filled: dict[str, list[str]] = app.extensions[_EXTENSION]
    filled[slot.value].append(template)
