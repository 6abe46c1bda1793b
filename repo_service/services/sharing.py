"""Sharing by a token that is good for nothing else."""

from __future__ import annotations

from dataclasses import replace

from repo_service.domain.identity import Identity, Scope
from repo_service.services.accounts import require_scope


def for_sharing(identity: Identity) -> Identity:
    """The asker with all that it takes to make a draft of a file, for this one deed.

    Whoever may write may share; a token with ``Scope.SHARE`` may share and nothing else, not even read the
    draft afterwards. Raises as ``require_scope``.
    """
    if not identity.has(Scope.WRITE):
        require_scope(identity, Scope.SHARE)
    return replace(identity, scopes=identity.scopes | {Scope.READ, Scope.WRITE})
