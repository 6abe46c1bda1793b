"""XML documents that are files of their own: known by their root, read in one pass."""

from __future__ import annotations

import re

from repo_service.inspection.base import Progress, Source
from repo_service.inspection.limits import KIB, Limits, of_packages
from repo_service.inspection.xml import Handler, XmlAllowance, XmlSink

_BLOCK = 256 * KIB
# Nothing is tried twice: whoever gives back what it took would take the cube of the time.
_COMMENTS = r"(?:<!--(?:[^-]|-[^-]){0,2000}+-->\s*+)*+"
_BEFORE = r"(?:\xef\xbb\xbf)?+\s*+(?:<\?xml[^>]{0,200}>\s*+)?+" + _COMMENTS
_DOCTYPE = r"(?:<!DOCTYPE\s++%s[^\[>]{0,500}+(?:\[[^\]]{0,3000}+\]\s*+)?+>\s*+)?+" + _COMMENTS


def root_named(tag: str, *, prefix: str = "", may_have_doctype: bool = False) -> re.Pattern[bytes]:
    """How a document begins whose root is ``tag``, which may have that ``prefix`` of a namespace."""
    doctype = _DOCTYPE % tag if may_have_doctype else ""
    root = f"<(?:{prefix}:)?{tag}" if prefix else f"<{tag}"
    return re.compile(f"{_BEFORE}{doctype}{root}[\\s>]".encode("latin-1"))


def read_xml(
    source: Source, handler: Handler, limits: Limits, progress: Progress, *, may_name_dtd: bool = False
) -> None:
    """Have ``handler`` told of all of the document. Raises InvalidFile, and what the source raises."""
    allowance = XmlAllowance(of_packages(limits))
    sink = XmlSink(handler, place="", allowance=allowance, may_name_dtd=may_name_dtd)
    done = 0
    with source.stream() as stream:
        while block := stream.read(_BLOCK):
            sink.feed(block)
            done += len(block)
            progress(min(1.0, done / source.size))
    sink.close()
