"""The form by which a browser hands a resource to a Moodle (``admin/tool/moodlenet/import.php``).

Moodle keeps neither author nor licence of what comes by this road, so both stand in the summary, which
becomes the introduction of an activity. It takes name and summary only if PHP's ``strip_tags`` leaves them as
they are (``PARAM_TEXT``, checked strictly).
"""

from __future__ import annotations

import json
import re
from typing import Final
from urllib.parse import quote

from moodle_plugin_bridge.choosing import Target
from repo_service.domain.resources import BACKUP_EXTENSION, BACKUP_KINDS
from repo_service.inspection.text import clean_paragraphs
from repo_service.services.credits import credit_of, shortened
from repo_service.services.records import ResourceRecord, VersionRecord
from repo_service.web.speaking import say

NAME_LENGTH: Final = 255
"""Characters that an activity's name has room for (Moodle up to 4.5)."""
SUMMARY_LENGTH: Final = 2000
"""Characters of the resource's own summary; what follows it is never cut."""

_TAG_LIKE: Final = re.compile(r"<(?=\S|$)")


def is_backup(version: VersionRecord) -> bool:
    """Whether Moodle restores it; anything else becomes an activity."""
    return version.kind in BACKUP_KINDS


def fields_of(
    record: ResourceRecord, version: VersionRecord, target: Target, *, base_url: str, as_link: bool = False
) -> list[tuple[str, str]]:
    """Names and values. ``as_link``: Moodle is to keep the address only, and to fetch nothing."""
    info = {
        "name": plain(shortened(record.title, NAME_LENGTH), limit=NAME_LENGTH),
        "summary": summary_of(record, base_url),
    }
    fields = [
        ("resourceurl", download_url(record, version, base_url)),
        ("resource_info", json.dumps(info)),
        ("type", "link" if as_link else "file"),
    ]
    if target.course is not None:
        fields.append(("course", str(target.course)))
        fields.append(("section", str(target.section or 0)))
    return fields


def download_url(record: ResourceRecord, version: VersionRecord, base_url: str) -> str:
    """Where anybody gets the file, in ASCII, its path ending as Moodle knows such files: it goes by that."""
    name = version.file_name
    if is_backup(version) and not name.lower().endswith(BACKUP_EXTENSION):
        name += BACKUP_EXTENSION
    return f"{base_url}/files/{record.id}/{version.number}/{quote(name, safe='')}"


def summary_of(record: ResourceRecord, base_url: str) -> str:
    """The summary, and below it the credit in the visitor's language."""
    own = plain(shortened(record.summary_text, SUMMARY_LENGTH), limit=SUMMARY_LENGTH)
    credit = plain(say(credit_of(record, base_url)), limit=SUMMARY_LENGTH)
    return f"{own}\n\n{credit}" if own else credit


def plain(text: str, *, limit: int) -> str:
    """``text`` without what PHP's ``strip_tags`` takes for a tag: a < that no space follows gets one."""
    spaced = _TAG_LIKE.sub("< ", clean_paragraphs(text))
    return spaced if len(spaced) <= limit else _TAG_LIKE.sub("< ", spaced[: limit - 1])
