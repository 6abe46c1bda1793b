"""Brings the catalogues of ``repo_service/languages`` up to date with the sources: ``make translations``.

A message that is new stands there without words, one that has gone is taken out. Nothing is guessed.
"""

from __future__ import annotations

import ast
import inspect
import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import read_po, write_po

from repo_service.domain import errors
from repo_service.languages import LANGUAGES, SOURCE

ROOT = Path(__file__).resolve().parents[1]
CATALOGUES = ROOT / "repo_service" / "languages"

_PACKAGES = ("repo_service", "moodle_plugin_bridge")
_FOR_SOFTWARE = (
    "api/",
    "cli/",
    "federation/",
    "http/idempotency",
    "migrations/",
    *(
        f"services/{name}"
        for name in (
            "catalogue",
            "direct",
            "inbox",
            "mirror",
            "network_",
            "remote_keys",
            "resuming",
            "taking_in",
        )
    ),
)
"""What no person reads on a page."""
_SHOWN = "federation/outgoing/"
"""Of that, what people read all the same: why an address elsewhere is not asked, or did not answer."""
_NEVER = datetime(2026, 11, 28, tzinfo=UTC)  # a file that changes when nothing did is in everybody's way


def keywords() -> dict[str, tuple[int, ...]]:
    """The calls that texts stand in, and which of their arguments each is, from 0."""
    errors_of_ours = {
        name: (0,)
        for name, found in vars(errors).items()
        if inspect.isclass(found) and issubclass(found, errors.DomainError)
    }
    kinds = {f"_{subject}": (0, 1) for subject in ("learners", "secret", "unjudged", "author", "number")}
    reasons = {"JobFailed": (0,), "JobWaits": (0,)}
    return {**errors_of_ours, **kinds, **reasons, "FieldError": (1,), "text": (0,), "counted": (0, 1)}


def messages() -> Catalog:
    """Everything that the sources say."""
    catalogue = Catalog(creation_date=_NEVER)
    for path, message in _extracted():
        catalogue.add(message, locations=[(path, 0)])
    return catalogue


def read(tag: str) -> Catalog:
    """The catalogue of a language as it is; an empty one for a language that is new."""
    path = CATALOGUES / f"{tag}.po"
    if not path.exists():
        return Catalog(locale=tag)
    with path.open("rb") as source:
        return read_po(source, locale=tag)


def missing(tag: str) -> list[str]:
    """What there are no words for in that language."""
    known = read(tag)
    return [
        message.id if isinstance(message.id, str) else message.id[0]
        for message in messages()
        if message.id and not _is_said(known, message.id)
    ]


def _is_said(known: Catalog, message_id: str | list[str] | tuple[str, ...]) -> bool:
    found = known.get(message_id if isinstance(message_id, str) else message_id[0])
    if found is None or found.fuzzy:
        return False
    words = (found.string,) if isinstance(found.string, str) else found.string
    return bool(words and all(words))


def _extracted() -> Iterator[tuple[str, str | tuple[str, ...]]]:
    for package in _PACKAGES:
        for path in sorted((ROOT / package).rglob("*.html")):
            yield from ((_named(path), message) for message in _of_template(path))
        for path in sorted((ROOT / package).rglob("*.py")):
            name = _named(path)
            module = name.removeprefix("repo_service/")
            if module.startswith(_SHOWN) or not module.startswith(_FOR_SOFTWARE):
                yield from ((name, message) for message in of_source(path.read_text()))


def _of_template(path: Path) -> Iterator[str | tuple[str, ...]]:
    with path.open("rb") as source:
        calls = {**DEFAULT_KEYWORDS, "counted": (1, 2)}
        for _line, message, _comments, _context in extract(
            "jinja2", source, keywords=calls, options={"trimmed": "true"}
        ):
            yield message


def of_source(source: str) -> Iterator[str | tuple[str, ...]]:
    """The messages of a Python source; an argument of another call is looked into, and both ends of an if."""
    calls = keywords()
    if "domain.texts import" not in source:  # the database's text() is another
        calls.pop("text")
        calls.pop("counted")
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        where = calls.get(name, ())
        texts = [list(_constants(node.args[at])) for at in where if at < len(node.args)]
        if len(texts) == len(where) == 2 and all(texts):
            yield texts[0][0], texts[1][0]
        elif len(where) == 1:
            yield from (text for found in texts for text in found)


def _constants(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from _constants(node.body)
        yield from _constants(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.strip():
        yield node.value


def _named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def main() -> int:
    """Write each catalogue anew, and say how much of it is there."""
    sources = messages()
    for tag in LANGUAGES:
        if tag == SOURCE:
            continue
        catalogue = read(tag)
        catalogue.update(sources, no_fuzzy_matching=True, update_header_comment=False)
        catalogue.obsolete.clear()
        catalogue.creation_date = catalogue.revision_date = _NEVER
        catalogue.fuzzy = False
        catalogue.msgid_bugs_address = catalogue.last_translator = catalogue.language_team = ""
        catalogue.project, catalogue.version = "Moodle resources repository", ""
        catalogue.header_comment = f"# {LANGUAGES[tag]}. Licence: AGPL-3.0-or-later, as the service."
        written = io.BytesIO()
        write_po(written, catalogue, width=0, sort_by_file=True, include_lineno=False, omit_header=False)
        (CATALOGUES / f"{tag}.po").write_bytes(written.getvalue())
        print(f"{tag}: {len(missing(tag))} of {len(sources)} messages have no words yet")
    return 0


if __name__ == "__main__":
    sys.exit(main())
