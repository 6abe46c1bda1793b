"""Licences in sentences: what is meant, and what must not be taken for a licence."""

from __future__ import annotations

import pytest

from repo_service.backups.licence_words import from_words, licence_of_all
from repo_service.backups.licences import LicenceKind
from repo_service.domain.inspection import LicenceStatement


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("CC BY 4.0", "CC-BY-4.0"),
        ("cc-by-sa 4.0", "CC-BY-SA-4.0"),
        ("CC BY\u2011NC\u2011SA 4.0", "CC-BY-NC-SA-4.0"),
        ("CC BY\u2013NC\u2013SA 4.0", "CC-BY-NC-SA-4.0"),
        ("CC BY·NC·SA 4.0", "CC-BY-NC-SA-4.0"),
        (
            "This work is licensed under a Creative Commons Attribution 4.0 International License.",
            "CC-BY-4.0",
        ),
        ("Creative Commons Attribution \N{EN DASH} NonCommercial 4.0", "CC-BY-NC-4.0"),
        ("Creative Commons Attribution-ShareAlike (CC BY-SA 4.0)", "CC-BY-SA-4.0"),
        ("CC BY, see https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by-nc/4.0/deed.de", "CC-BY-NC-4.0"),
        ("Except where otherwise noted, this is licensed under CC BY 4.0.", "CC-BY-4.0"),
        ("Dedicated to all by CC0", "CC0-1.0"),
        ("© 2026 Ada Lovelace. All rights reserved.", "all-rights-reserved"),
    ],
)
def test_what_is_meant(words: str, code: str) -> None:
    assert from_words(words).code == code
    assert from_words(words).given == words


@pytest.mark.parametrize(
    "words",
    [
        "All rights reserved, not CC BY",
        "All rights reserved. Contains images under CC BY 4.0.",
        "© 2026 Ada. All rights reserved. Icons: CC0",
        "This is not licensed under CC BY 4.0",
        "Dies steht nicht unter CC BY 4.0",
        "CC BY 4.0 except the pictures",
        "CC BY/NC",
        "CC BY, NC, SA",
        "CC-BY (NC, SA)",
        "CC BY + NC",
        "CC BY-NonCommercial 4.0",
        "CC BY (non-commercial use only)",
        "CC BY 4.0-NC",
        "Creative Commons Attribution & NonCommercial 4.0",
        "Creative Commons Attribution: NonCommercial 4.0",
        "Text CC BY 4.0, photos CC BY-NC-SA 4.0",
        "CC BY 4.0 or CC BY 3.0",
        "CC by Rev.com",
        "captions: cc by Ada",
    ],
)
def test_what_is_no_licence(words: str) -> None:
    found = from_words(words)
    assert (found.kind, found.code) == (LicenceKind.OTHER, words)


def _of(*texts: str) -> str:
    return licence_of_all([LicenceStatement(scheme="text", text=text) for text in texts]).code


def test_of_several_statements_all_count() -> None:
    assert _of() == "unknown"
    assert _of("© Ada 2026", "CC BY 4.0") == "CC-BY-4.0"
    assert _of("CC BY", "https://creativecommons.org/licenses/by/4.0/") == "CC-BY-4.0"
    assert _of("© Ada 2026") == "© Ada 2026"
    assert _of("CC BY 4.0", "All rights reserved") == "CC BY 4.0 / All rights reserved"
    assert _of("CC BY 4.0", "CC BY-NC 4.0") == "CC BY 4.0 / CC BY-NC 4.0"
