"""Names that Moodle refuses to restore, and how to put them right.

A course whose full or short name Moodle's own cleaning would change (PARAM_TEXT of ``clean_param``,
lib/moodlelib.php) stops the restore: ``setting_invalid_text`` (``base_setting::validate_value``,
backup/util/settings/base_setting.class.php).
"""

from __future__ import annotations

import re

_OPENS_A_TAG = re.compile(r"<(?!\s)")
"""What PHP's strip_tags takes for a tag, closed or not."""
_LANGUAGES = re.compile(
    r'(?:[^<]*<lang lang="[a-zA-Z0-9_-]+"\s*>[^<]*</lang>)+[^<]*'
    r'|(?:[^<]*<span(?:\s+lang="[a-zA-Z0-9_-]+"|\s+class="multilang"){2}\s*>[^<]*</span>)+[^<]*'
)
"""A name in several languages (filter_multilang), which may have these tags."""
_ELEMENT = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*(?:\s[^<>]*)?/?>|<!--.*?-->", re.DOTALL)

_LEFT, _RIGHT = (
    "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
    "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
)


def is_restorable(name: str) -> bool:
    """Whether Moodle takes the name as it is."""
    return _OPENS_A_TAG.search(name) is None or _LANGUAGES.fullmatch(name) is not None


def restorable(name: str) -> str:
    """The name without its HTML. Other angle brackets become quotation marks of the same look."""
    if is_restorable(name):
        return name
    text = _OPENS_A_TAG.sub(_LEFT, _ELEMENT.sub("", name)).replace(">", _RIGHT)
    return " ".join(text.split()) or "?"
