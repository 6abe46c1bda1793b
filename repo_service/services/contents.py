"""The contents of backups, for use cases that look into them: one place that knows how to come by them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from repo_service.backups.archives import BadSeekIndex
from repo_service.backups.contents import BadContents, Contents
from repo_service.services.archives import Archives


@dataclass(frozen=True, slots=True)
class Whole:
    """The file of a version: its digest, and when the version was created."""

    digest: str
    since: datetime


class BackupContents:
    """Opens them."""

    def __init__(self, archives: Archives, *, folder: Path) -> None:
        """``folder``: for what is too much for memory while contents are compared."""
        self._archives = archives
        self.folder = folder

    @contextmanager
    def open(self, *wholes: Whole) -> Iterator[tuple[Contents, ...]]:
        """The contents of backups of Moodle 2 or later, to be read within the context.

        Raises NotIndexed until they are made, InvalidFile where they cannot be, and what reading them raises.
        Where some turn out to be of no use, all are made again.
        """
        contents = [self._archives.open_contents(whole.digest, since=whole.since) for whole in wholes]
        try:
            yield tuple(contents)
        except (BadContents, BadSeekIndex) as error:
            lacking = [self._archives.contents_of_no_use(whole.digest, since=whole.since) for whole in wholes]
            raise lacking[0] from error
