"""The search engines there are, chosen by URL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from repo_service.search.base import SearchIndex


def open_index(url: str, *, writer: bool) -> SearchIndex:
    """The index at ``url``: ``tantivy:///var/lib/repo/search``, or ``memory:`` (``memory:NAME`` for one of
    several).

    Raises IndexLocked when it is to be written and somebody else does, ValueError for a URL that names no
    engine.
    """
    parts = urlsplit(url)
    engine = _ENGINES.get(parts.scheme)
    if engine is None:
        raise ValueError(
            f"no search engine is called {parts.scheme!r}; there are: {', '.join(sorted(_ENGINES))}"
        )
    return engine(parts, writer)


def beside(url: str, name: str) -> str:
    """The URL of another index, next to that one and of the same engine."""
    return f"{url.rstrip('/')}-{name}"


def _tantivy(url: SplitResult, writer: bool) -> SearchIndex:
    from repo_service.search.tantivy import TantivyIndex

    if url.netloc or not url.path or url.path == "/":
        raise ValueError("a tantivy index is named by an absolute path: tantivy:///var/lib/repo/search")
    return TantivyIndex(Path(unquote(url.path)), writer=writer)


def _memory(url: SplitResult, writer: bool) -> SearchIndex:
    from repo_service.search.memory import MemoryIndex

    return MemoryIndex(unquote(url.path), writer=writer)


_ENGINES: dict[str, Callable[[SplitResult, bool], SearchIndex]] = {
    "memory": _memory,
    "tantivy": _tantivy,
}
