"""The documentation is true: its links, its commands, its variables and its table of settings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from repo_service import settings_reference
from repo_service.cli import main
from repo_service.settings import Settings

PROJECT = Path(__file__).resolve().parents[1]
PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])
FOR_TESTS = {"REPO_SHARED", "REPO_REQUIRE_SERVICES"}

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_INLINE_COMMAND = re.compile(r"`(repo [a-z][^`]*)`")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))


def test_the_pages_are_found() -> None:
    assert {page.name for page in PAGES} >= {"README.md", "CONTRIBUTING.md", "settings.md", "errors.md"}


@each_page
def test_links_resolve(page: Path) -> None:
    text = _FENCE.sub("", page.read_text())
    for link in _LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target), link


@each_page
def test_commands_exist(page: Path) -> None:
    for command in _commands(page.read_text()):
        words = shlex.split(command, comments=True)[1:]
        assert not _misunderstood(main, words), command


@each_page
def test_variables_exist(page: Path) -> None:
    known = {settings_reference.variable_name(name) for name in Settings.model_fields} | FOR_TESTS
    assert set(re.findall(r"\bREPO_[A-Z_]*[A-Z]\b", page.read_text())) <= known


@each_page
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    fences = "\n".join(body for _, body in _FENCE.findall(page.read_text()))
    named = re.findall(r"`make ([a-z0-9-]+)", page.read_text()) + re.findall(
        r"^make (\w+)", fences, re.MULTILINE
    )
    assert set(named) <= targets


def test_make_runs_our_code_where_what_it_needs_is_installed() -> None:
    """The Python that is found makes the environment and runs nothing else: it has none of our packages."""
    run_by_it = re.findall(r"\$\(PYTHON\) -m ([\w.]+)", (PROJECT / "Makefile").read_text())
    assert set(run_by_it) == {"venv"}


def test_the_table_of_settings_is_current() -> None:
    page = (PROJECT / "docs" / "settings.md").read_text()
    assert page == settings_reference.markdown(), (
        "python -m repo_service.settings_reference > docs/settings.md"
    )


def test_a_wrong_command_is_noticed() -> None:
    assert _misunderstood(main, ["no-such-command"])
    assert _misunderstood(main, ["inspect", "--no-such-option", "FILE"])
    assert not _misunderstood(main, ["inspect", "--json", "FILE"])


def _anchors(page: Path) -> set[str]:
    """The names that headings get on GitHub."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _commands(text: str) -> Iterator[str]:
    """Every ``repo …`` in a shell block or in the running text, wherever the program lies."""
    for language, body in _FENCE.findall(text):
        if language == "sh":
            for line in body.replace("\\\n", " ").splitlines():
                if found := re.search(r"(?:^|[ /])(repo [a-z].*)", line.partition("#")[0]):
                    yield found[1]
    yield from _INLINE_COMMAND.findall(_FENCE.sub("", text))


def _misunderstood(command: click.Command, words: list[str]) -> str | None:
    """The first word that names no command or option; None when all do."""
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, *words = words
        named = command.get_command(click.Context(command), name)
        if named is None:
            return name
        command = named
    options = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    used = (word.partition("=")[0] for word in words if word.startswith("-"))
    return next((word for word in used if word not in options | {"--help"}), None)
