"""Writes docs/settings.md from the settings themselves: ``python -m repo_service.settings_reference``."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from pydantic import ByteSize, SecretStr, TypeAdapter
from pydantic.fields import FieldInfo

from repo_service.settings import Settings

_HEAD = """\
# Settings

Every setting is an environment variable, read once when a process starts. Without any of them everything runs
on one machine and is kept in one folder. Every process of one service needs the same settings.

Sizes take units (`500MiB`, `2GiB`), durations are ISO 8601 (`PT15M`, `P7D`) or seconds. A value that is out
of range or not understood stops the start with a message that names it.

| Variable | Kind | Default | Meaning |
|---|---|---|---|
"""
_KINDS: dict[Any, str] = {
    str: "text",
    int: "number",
    bool: "true or false",
    Path: "folder",
    ByteSize: "size",
    timedelta: "duration",
    SecretStr: "secret",
}


def variable_name(field: str) -> str:
    """The environment variable that sets ``field``."""
    return f"{Settings.model_config['env_prefix']}{field}".upper()


def markdown() -> str:
    """The whole page."""
    rows = [
        f"| `{variable_name(name)}` | {_kind(field)} | {_default(field)} | {field.description} |\n"
        for name, field in Settings.model_fields.items()
    ]
    return _HEAD + "".join(rows)


def _kind(field: FieldInfo) -> str:
    one, *_ = [kind for kind in get_args(field.annotation) or [field.annotation] if kind is not NoneType]
    limits = {name: value for part in field.metadata for name, value in _limits(part).items()}
    if "pattern" in limits:
        return str(limits["pattern"]).strip("^$()").replace("|", ", ")
    kind = _KINDS[one]
    if "ge" in limits and "le" in limits:
        return f"{kind}, {limits['ge']} to {limits['le']}"
    if "ge" in limits:
        return f"{kind}, at least {limits['ge']}"
    return kind


def _limits(part: object) -> dict[str, Any]:
    found = {name: getattr(part, name, None) for name in ("ge", "le", "pattern")}
    return {name: value for name, value in found.items() if value is not None}


def _default(field: FieldInfo) -> str:
    match field.default:
        case None:
            return "none"
        case "" | ():
            return "empty"
        case ByteSize() as size:
            return f"`{_size(size)}`"
        case timedelta() as duration:
            return f"`{TypeAdapter(timedelta).dump_python(duration, mode='json')}`"
        case value:
            return f"`{value}`"


def _size(size: ByteSize) -> str:
    """``4GiB`` rather than pydantic's ``4.0GiB``."""
    return size.human_readable().replace(".0", "")


if __name__ == "__main__":
    print(markdown(), end="")
