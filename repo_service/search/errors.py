"""What can go wrong with an index. Engines translate their own errors into these, once."""

from __future__ import annotations


class SearchError(Exception):
    """Base of every error that an index raises, apart from InvalidCursor."""


class IndexLocked(SearchError):
    """Somebody else has the index open for writing: there is one writer to an index."""


class IndexReadOnly(SearchError):
    """The index was opened for reading."""


class IndexUnusable(SearchError):
    """The index is damaged, or was written by another version of this software: ``rebuild`` makes it good."""


class IndexFull(SearchError):
    """The disk has no room. The last commit stays, what was written after it is forgotten."""


class IndexInterrupted(SearchError):
    """Writing broke off, and the engine does not say why: mostly there is no room. As IndexFull otherwise.

    When it happens twice without a commit in between, the index is taken for damaged: IndexUnusable.
    """
