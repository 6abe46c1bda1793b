"""What the API takes from people who take their data along, or leave."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from repo_service.api.schemas import Incoming, Query, Text
from repo_service.services.erasing import Shared


class ExportQueryIn(Query):
    """What to take along."""

    files: bool = Field(default=True, description="The files, too; or only what is kept about them.")


class EraseIn(Incoming):
    """How to leave."""

    shared: Shared = Field(
        description="What becomes of public resources and collections: they stay under “Former member”, or "
        "are withdrawn. Everything that is not public goes in either case."
    )
    password: Annotated[Text, Field(max_length=1000)] = Field(
        default="", description="The asker's own, where they have one."
    )
