"""Hard limits against hostile input. Each is far beyond any real backup; docs/add-a-parser.md lists them.

A file beyond a limit is refused with InvalidFile, whose ``reason`` stands beside each limit here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes in bytes."""

    max_members: int = 500_000
    """Members of an archive, directories included (``too-many-entries``)."""

    max_directory: int = 128 * MIB
    """Central directory of a zip (``too-many-entries``)."""

    max_name: int = 4 * KIB
    """Name of a member, tar's long names included (``name-too-long``)."""

    max_inflated: int = 256 * GIB
    """What a tar.gz may inflate to (``too-large-inflated``)."""

    max_ratio: int = 100
    """Inflated over compressed size, once more than ``ratio_free`` came out (``bomb``)."""

    ratio_free: int = 256 * MIB
    """Below this many inflated bytes the ratio does not count: text compresses well."""

    max_xml: int = 1 * GIB
    """One XML member (``xml-too-large``): logs of years, attempts of thousands."""

    max_xml_total: int = 2 * GIB
    """All XML members together (``xml-too-large``)."""

    max_xml_events: int = 60_000_000
    """Starts, ends and pieces of text in all XML members together (``xml-too-large``): bounds the time."""

    max_xml_depth: int = 256
    """Nesting of elements (``xml-too-deep``)."""

    max_xml_name: int = 255
    """Characters of the name of an element (``xml-token-too-long``). Paths are made of them."""

    max_xml_names: int = 20_000
    """Distinct names of elements and attributes in all XML members together (``xml-too-many-names``): a
    parser remembers each, and Moodle with all of its plugins has some thousands."""

    max_xml_token: int = 256 * KIB
    """One tag, comment or processing instruction (``xml-token-too-long``)."""

    max_field: int = 512 * KIB
    """Characters kept of one text field while reading; the rest of the field is dropped."""

    max_activities: int = 10_000
    """Activities of a backup (``too-many-activities``)."""

    max_sections: int = 10_000
    """Sections of a backup (``too-many-sections``)."""

    max_distinct: int = 20_000
    """Distinct values of one kind: contexts with files, question types, plugins (``too-many-values``)."""

    max_text: int = 8 * MIB
    """Characters that the whole inspection may hold (``too-much-text``)."""


LIMITS = Limits()


def of_packages(limits: Limits) -> Limits:
    """What other files than backups may hold: less, as these have the logs of years."""
    return replace(
        limits,
        max_directory=min(limits.max_directory, 64 * MIB),
        max_xml=min(limits.max_xml, 256 * MIB),
        max_xml_total=min(limits.max_xml_total, 512 * MIB),
        max_xml_depth=min(limits.max_xml_depth, 128),
        max_xml_events=min(limits.max_xml_events, 10_000_000),
        ratio_free=min(limits.ratio_free, 32 * MIB),
    )
