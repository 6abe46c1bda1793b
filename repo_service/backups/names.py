"""Names as Moodle cleans them: ``core\\param::clean_param_value_text()``, which is PARAM_TEXT."""

from __future__ import annotations

import re

_TAG = r"<(?!\s)"
"""Where PHP's strip_tags() begins to drop: at any < that no white space follows."""
_TEXT = f"(?:(?!{_TAG}).)*"
_LANG = r'<lang lang="[a-zA-Z0-9_-]+"\s*>'
_SPAN = r'<span(?:\s+lang="[a-zA-Z0-9_-]+"|\s+class="multilang"){2}\s*>'

_MULTILANG = tuple(
    re.compile(f"{_TEXT}(?:{opening}{_TEXT}</{tag}>{_TEXT})+", re.DOTALL)
    for tag, opening in (("lang", _LANG), ("span", _SPAN))
)
"""The two ways to write a name in several languages: elements side by side, whose tags stay."""


def survives_cleaning(name: str) -> bool:
    """Whether Moodle leaves the name as it is."""
    return re.search(_TAG, name) is None or any(form.fullmatch(name) for form in _MULTILANG)
