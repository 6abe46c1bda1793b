"""How the operations of the API are written down for the OpenAPI document."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from flask import Response
from pydantic import BaseModel

from repo_service.api.schemas import CleanIn, CompleteIn, EditionIn, ResourceIn
from repo_service.http.idempotency import HEADER, KEY
from repo_service.http.problems import CATALOGUE, MEDIA_TYPE, Problem
from repo_service.inspection.serialise import json_schema

Security = list[str | dict[str, list[Any]]]
Responses = dict[int | str, dict[str, str | dict[str, dict[str, Any]]]]

BEARER: Security = [{"bearer": []}]
PUBLIC: Security = [{}, {"bearer": []}]

JSON_BODY = ("invalid-input", "unsupported-media-type", "payload-too-large")
"""What may be wrong with a JSON body."""

IDEMPOTENT = ("idempotency-key-in-use", "idempotency-key-reused")
"""What the key of a request may come to, of views that are ``idempotent``. They are given its header."""

ANY_TYPE: dict[str, dict[str, dict[str, Any]]] = {
    "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}
}

_ALWAYS = ("malformed-request", "unauthorised", "not-found", "too-many-requests", "busy")


def problems(*codes: str, also: Responses | None = None) -> Responses:
    """The error answers of an operation, by the codes of the catalogue; those that any may give are added.

    ``also`` are answers that are no errors.
    """
    return _answers(*_ALWAYS, *codes) | (also or {})


def _answers(*codes: str) -> Responses:
    titles: dict[int, list[str]] = defaultdict(list)
    for code in codes:
        kind = CATALOGUE[code]
        titles[kind.status].append(f"{kind.title} (`{code}`)")
    return {
        status: {
            "description": ", ".join(dict.fromkeys(names)),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, names in sorted(titles.items())
    }


def answer(model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """``model`` as JSON."""
    response = Response(model.model_dump_json(by_alias=True), status=status, mimetype="application/json")
    response.headers["Cache-Control"] = "private, no-store"
    response.headers.update(headers or {})
    return response


def answer_json(document: dict[str, Any]) -> Response:
    """A JSON document that is kept as it is served."""
    return Response(json.dumps(document, ensure_ascii=False), mimetype="application/json")


def complete(spec: dict[Any, Any]) -> dict[Any, Any]:
    """Add to the generated document what the generator cannot know: path formats, HEAD, and the schemas of
    bodies that views read themselves."""
    schemas = spec.setdefault("components", {}).setdefault("schemas", {})
    for model in (Problem, ResourceIn, EditionIn, CompleteIn, CleanIn):
        schemas.update(_components(model.__name__, model.model_json_schema()))
    schemas.update(_components("Inspection", json_schema()))
    spec["tags"] = list({tag["name"]: tag for tag in spec["tags"]}.values())  # one a blueprint is too many
    for path, operations in spec["paths"].items():
        for operation in operations.values():
            for parameter in operation["parameters"]:
                if parameter["in"] == "path":
                    parameter["required"] = True
                    parameter["schema"] = _PATH_SCHEMAS.get(parameter["name"], {"type": "string"})
            if any(IDEMPOTENT[1] in answer["description"] for answer in operation["responses"].values()):
                operation["parameters"].append(deepcopy(_IDEMPOTENCY_KEY))
        if path.startswith("/files/"):
            head = {**operations["get"], "operationId": operations["get"]["operationId"] + "_head"}
            operations["head"] = head
    return spec


def refusable(spec: dict[Any, Any]) -> dict[Any, Any]:
    """Add what a read-only service answers to whatever changes something."""
    ((status, refusal),) = _answers("read-only").items()
    for path in spec["paths"].values():
        for method in ("post", "put", "patch", "delete"):
            if method in path:
                answers = path[method]["responses"]
                known = answers.get(str(status))
                if known is None:
                    answers[str(status)] = refusal
                else:
                    known["description"] = f"{known['description']}, {refusal['description']}"
    return spec


def _components(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON Schema and its definitions as components; those of ``name`` are called ``name.…``."""
    text = json.dumps(schema).replace('"#/$defs/', f'"#/components/schemas/{name}.')
    moved: dict[str, Any] = json.loads(text)
    moved.pop("$schema", None)
    definitions = {f"{name}.{key}": value for key, value in moved.pop("$defs", {}).items()}
    return {name: moved, **definitions}


_IDEMPOTENCY_KEY: dict[str, Any] = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "description": "Drawn by the client, such as a UUID in quotes. The same request with the same key is "
    "done once, and answered alike for a day.",
    "schema": {"type": "string", "pattern": KEY},
}
_UUID = {"type": "string", "format": "uuid"}
_PATH_SCHEMAS: dict[str, dict[str, Any]] = {
    "resource_id": _UUID,
    "collection_id": _UUID,
    "upload_id": _UUID,
    "account_id": _UUID,
    "token_id": _UUID,
    "client_id": _UUID,
    "job_id": _UUID,
    "invitation_id": _UUID,
    "profile_id": _UUID,
    "entry_id": _UUID,
    "webhook_id": _UUID,
    "delivery_id": _UUID,
    "number": {"type": "integer", "minimum": 1, "maximum": 999999999},
    "activity_id": {"type": "integer", "minimum": 0},
    "section_id": {"type": "integer", "minimum": 0},
    "content": {"type": "string", "pattern": "^[0-9a-f]{40}$"},
    "file_name": {"type": "string", "minLength": 1},
    "name": {"type": "string", "minLength": 1},
    "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
}
