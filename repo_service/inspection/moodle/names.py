"""Names that Moodle refuses to restore, and how to put them right.

A course whose full or short name Moodle's own cleaning would change (PARAM_TEXT of ``clean_param``,
lib/moodlelib.php) stops the restore: ``setting_invalid_text`` (``base_setting::validate_value``,
backup/util/settings/base_setting.class.php).
"""

from __future__ import annotations

import re

_TAG = r"<(?!\s)"
"""Where PHP's strip_tags() begins to drop: at any < that no white space follows."""
_TEXT = f"(?:(?!{_TAG}).)*"
_LANG = r'<lang lang="[a-zA-Z0-9_-]+"\s*>'
_SPAN = r'<span(?:\s+lang="[a-zA-Z0-9_-]+"|\s+class="multilang"){2}\s*>'

_OPENS_A_TAG = re.compile(_TAG)
_MULTILANG = tuple(
    re.compile(f"{_TEXT}(?:{opening}{_TEXT}</{tag}>{_TEXT})+", re.DOTALL)
    for tag, opening in (("lang", _LANG), ("span", _SPAN))
)
"""The two ways to write a name in several languages: elements side by side, whose tags stay."""
_ELEMENT = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*(?:\s[^<>]*)?/?>|<!--.*?-->", re.DOTALL)

_LEFT, _RIGHT = (
    "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
    "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
)


def is_restorable(name: str) -> bool:
    """Whether Moodle takes the name as it is."""
    return _OPENS_A_TAG.search(name) is None or any(form.fullmatch(name) for form in _MULTILANG)


def restorable(name: str) -> str:
    """The name without its HTML. Other angle brackets become quotation marks of the same look."""
    if is_restorable(name):
        return name
    text = _OPENS_A_TAG.sub(_LEFT, _ELEMENT.sub("", name)).replace(">", _RIGHT)
    return " ".join(text.split()) or "?"
