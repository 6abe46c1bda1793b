"""Takes out of one XML member of a backup what rules name, as it streams, and tells what it found.

What no rule names comes out byte for byte as it came in: the parser (expat) tells only where elements begin
and end, and the bytes between are passed on. An element taken out leaves what Moodle writes when it had
nothing to write: its container, empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from xml.parsers import expat

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.limits import KIB
from repo_service.inspection.xml import XmlAllowance

NULL = b"$@NULL@$"
"""How Moodle writes NULL (``xml_writer``, backup/util/xml/xml_writer.class.php)."""

ANY = "*"
"""In a path of rules: an element of whatever name."""

_SPACE = b" \t\r\n"
TAG = re.compile(rb"</?[^\s/>]+(?:\s+[^\s=>]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*\s*/?>")
_PIECE = 64 * KIB
_MAX_ROW = 4 * 1024 * KIB
_WRAPPERS = ("plugin_", "subplugin_")
"""How elements are called in which a plugin writes what it likes (``get_recommended_name``, backup_plugin and
backup_subplugin in backup/moodle2)."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Take the element out, with all it holds. Without a code nobody is told."""

    code: str


@dataclass(frozen=True, slots=True)
class Blank:
    """Keep the element, without what it says. ``only`` asks whether a given text has to go."""

    code: str
    value: bytes = NULL
    only: Callable[[str], bool] | None = None
    renew: Callable[[str], bytes] | None = None
    """Makes the new text where an empty one would not do."""


@dataclass(frozen=True, slots=True)
class Row:
    """A record on which the judge of that name decides, by the text of some of its fields."""

    judge: str
    fields: frozenset[str]


Rule = Drop | Blank | Row


@dataclass(frozen=True, slots=True)
class Judgement:
    """What becomes of a row: whether it stays, new texts of fields (raw XML), and what was found in it."""

    keep: bool = True
    texts: Mapping[str, bytes] = field(default_factory=dict)
    found: tuple[tuple[str, str], ...] = ()
    """(code, field); the field is empty where the row as a whole is meant."""


KEEP = Judgement()


class Judge(Protocol):
    """Decides about a row; ``attributes`` are those of its own tag, ``fields`` plain text."""

    def __call__(self, attributes: Mapping[str, str], fields: Mapping[str, str]) -> Judgement: ...


@dataclass(slots=True)
class Node:
    """One element name in a tree of rules."""

    rule: Rule | None = None
    children: dict[str, Node] = field(default_factory=dict)

    def child(self, tag: str) -> Node | None:
        found = self.children.get(tag)
        return self.children.get(ANY) if found is None else found


def rule_tree(rules: Mapping[str, Rule]) -> Node:
    """The tree of rules that are given by path: ``enrolments/enrols/enrol``, from the root element on."""
    top = Node()
    for path, rule in rules.items():
        node = top
        for tag in path.split("/"):
            node = node.children.setdefault(tag, Node())
        node.rule = rule
    return top


NO_RULES = Node()


class Redactor:
    """A ``Sink`` for one XML member that passes on what may stay.

    ``write`` gets the bytes that stay, ``found(code, path)`` is told of each thing that a rule took out or
    blanked. ``everywhere`` are rules for elements by their name alone, where no path names them. ``judges``
    are asked by the rules of rows. ``plugin`` is told the tag of each element that a plugin fills.

    Moodle takes an attribute for a field that is not there, and of a field that is there twice the last that
    is not empty (``simplified_parser_processor``, ``progressive_parser``). It writes neither, and where a
    rule names the field, neither is taken.
    """

    def __init__(
        self,
        rules: Node,
        *,
        place: str,
        allowance: XmlAllowance,
        write: Callable[[bytes], object],
        found: Callable[[str, str], object],
        everywhere: Mapping[str, Blank] | None = None,
        judges: Mapping[str, Judge] | None = None,
        plugin: Callable[[str], object] = lambda tag: None,
    ) -> None:
        self._place = place
        self._allowance = allowance
        self._limits = allowance.limits
        self._found = found
        self._everywhere = everywhere or {}
        self._judges = judges or {}
        self._plugin = plugin
        self._wrapper_at = 0  # depth of the element that a plugin fills and that has nothing in it so far
        self._outs = [_Out(write)]
        self._nodes: list[Node | None] = [rules]
        self._tags: list[str] = []
        self._buffer = bytearray()
        self._base = 0  # where in the member the buffer begins
        self._settled = 0  # up to where it is decided what becomes of the bytes
        self._last_start: int | None = None  # of the last event, when it was a start tag
        self._last_end = 0  # of the last event, when it was an end
        self._last_empty = True  # whether that was the end of a tag that closes itself
        self._skipped_at = 0  # depth of the element that is taken out, 0 for none
        self._leaf: _Leaf | None = None
        self._rows: list[_Row] = []
        self._events = 0
        self._size = 0
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.XmlDeclHandler = self._declaration

    @property
    def done(self) -> bool:
        return False

    def feed(self, data: bytes) -> None:
        """Raises InvalidFile."""
        if not self._size and data[:2] in (b"\xfe\xff", b"\xff\xfe"):
            raise self._refuse("is not in UTF-8", "bad-xml")
        for at in range(0, len(data), _PIECE):
            piece = data[at : at + _PIECE]
            self._count(len(piece))
            self._buffer += piece
            self._parse(piece, final=False)
            self._pass_text()
            del self._buffer[: self._settled - self._base]
            self._base = self._settled
            if len(self._buffer) > self._limits.max_xml_token:
                raise self._refuse("has a very long tag or comment", "xml-token-too-long")

    def close(self) -> None:
        """Raises InvalidFile."""
        self._parse(b"", final=True)
        self._settle(self._base + len(self._buffer))
        self._outs[0].finish()

    def _count(self, size: int) -> None:
        self._size += size
        self._allowance.take(self._place, size=size)
        if self._size > self._limits.max_xml:
            raise self._refuse("is too large", "xml-too-large")

    def _parse(self, piece: bytes, *, final: bool) -> None:
        events = self._events
        try:
            self._parser.Parse(piece, final)
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise self._refuse("is not well-formed XML", "bad-xml") from error
        self._allowance.take(self._place, events=self._events - events)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._events += 1
        self._last_start = at = self._parser.CurrentByteIndex
        self._tags.append(tag)
        if len(self._tags) > self._limits.max_xml_depth:
            raise self._refuse("is nested too deeply", "xml-too-deep")
        self._allowance.take_tag(self._place, tag, attributes)
        parent = self._nodes[-1]
        node = None if parent is None else parent.child(tag)
        self._nodes.append(node)
        if self._skipped_at:
            return
        if self._leaf is not None:
            self._nest(self._leaf)
            return
        if self._wrapper_at or tag.startswith(_WRAPPERS):
            self._note_plugin(tag)
        rule: Rule | None = None if node is None else node.rule
        if attributes and not isinstance(rule, Drop):
            self._check_attributes(attributes, node)
        row = self._rows[-1] if self._rows and self._rows[-1].depth == len(self._tags) - 1 else None
        if row is not None and tag in row.fields:
            self._begin_leaf(at, None, row)
        elif rule is None and tag not in self._everywhere:
            return
        elif isinstance(rule, Drop):
            self._tell(rule.code)
            self._begin_skip(at)
        elif isinstance(rule, Row):
            self._begin_row(at, rule, attributes)
        else:
            self._begin_leaf(at, rule or self._everywhere[tag], None)

    def _end(self, tag: str) -> None:
        self._events += 1
        at = self._parser.CurrentByteIndex
        empty = self._closed_itself(at)
        depth = len(self._tags)
        if self._skipped_at:
            if depth == self._skipped_at:
                self._settled = at if empty else self._after_tag(at)
                self._skipped_at = 0
        elif self._leaf is not None:
            if depth == self._leaf.depth:
                self._end_leaf(at, self._leaf)
        elif self._rows and depth == self._rows[-1].depth:
            self._end_row(at if empty else self._after_tag(at))
        self._last_start, self._last_end, self._last_empty = None, at, empty
        self._tags.pop()
        self._nodes.pop()

    def _begin_skip(self, at: int) -> None:
        self._settle(at)
        self._outs[-1].forget_space()
        self._skipped_at = len(self._tags)

    def _nest(self, leaf: _Leaf) -> None:
        if leaf.row is not None:
            raise self._refuse(f"has elements within <{leaf.tag}>", "bad-xml")
        leaf.nested = True

    def _note_plugin(self, tag: str) -> None:
        """Tell of the element that a plugin fills when the first thing in it begins."""
        if self._wrapper_at and self._wrapper_at == len(self._tags) - 1:
            self._plugin(self._tags[-2])
        self._wrapper_at = len(self._tags) if tag.startswith(_WRAPPERS) else 0

    def _check_attributes(self, attributes: Mapping[str, str], node: Node | None) -> None:
        for name, text in attributes.items():
            if node is not None and (
                (isinstance(node.rule, Row) and name in node.rule.fields)
                or (name in node.children and isinstance(node.children[name].rule, Blank))
            ):
                raise self._refuse(f"has {name} in the tag of <{self._tags[-1]}>", "bad-xml")
            rule = self._everywhere.get(name)
            if rule is not None and text and (rule.only is None or rule.only(text)):
                self._tell(rule.code, f"@{name}")

    def _begin_leaf(self, at: int, rule: Blank | None, row: _Row | None) -> None:
        self._settle(self._after_tag(at))
        tag = self._tags[-1]
        if row is not None and tag in row.spans:
            raise self._refuse(f"has a record with <{tag}> twice", "bad-xml")
        self._leaf = _Leaf(len(self._tags), tag, rule, row)
        self._parser.CharacterDataHandler = self._leaf.texts.append

    def _end_leaf(self, at: int, leaf: _Leaf) -> None:
        self._settle(at)
        self._leaf = None
        self._parser.CharacterDataHandler = None
        raw = bytes(leaf.raw)
        text = leaf.text
        blank = leaf.rule
        # What is too long to be kept whole is more than nothing, and nobody can say what is in the rest.
        if blank is not None and (
            leaf.cut or leaf.nested or (text and (blank.only is None or blank.only(text)))
        ):
            self._tell(blank.code)
            raw = blank.value if blank.renew is None else blank.renew(text)
        elif leaf.cut:
            raise self._refuse(f"has a very long {leaf.tag}", "xml-token-too-long")
        out = self._outs[-1]
        if leaf.row is not None:
            begin = out.position()
            out.put(raw)
            leaf.row.spans[leaf.tag] = (begin, out.position())
            leaf.row.texts[leaf.tag] = text
        else:
            out.put(raw)

    def _begin_row(self, at: int, rule: Row, attributes: dict[str, str]) -> None:
        self._settle(at)
        held = bytearray()
        self._rows.append(_Row(len(self._tags), rule, dict(attributes), held))
        self._outs.append(_Out(held.extend))

    def _end_row(self, after: int) -> None:
        self._settle(after)
        row = self._rows.pop()
        self._outs.pop().finish()
        judgement = self._judges[row.rule.judge](row.attributes, row.texts)
        for code, name in judgement.found:
            self._tell(code, name)
        out = self._outs[-1]
        if not judgement.keep:
            out.forget_space()
            return
        held = row.held
        for name, text in sorted(judgement.texts.items(), key=lambda item: -row.spans[item[0]][0]):
            begin, end = row.spans[name]
            held[begin:end] = text
        out.put(bytes(held))

    def _settle(self, upto: int) -> None:
        """Decide on the bytes up to there: they go where the present element goes."""
        if upto <= self._settled:
            return
        begin, self._settled = self._settled, upto
        if self._skipped_at:
            return
        data = bytes(self._buffer[begin - self._base : upto - self._base])
        if self._leaf is not None:
            self._leaf.add(data, self._limits.max_field)
            return
        self._outs[-1].put(data)
        if self._rows and len(self._rows[-1].held) > _MAX_ROW:
            raise self._refuse(
                f"has a very long {self._tags[self._rows[-1].depth - 1]}", "xml-token-too-long"
            )

    def _pass_text(self) -> None:
        """Settle the text after the last event, up to where a tag may begin that was not parsed yet."""
        if self._last_start is not None:
            after = self._last_start
            if after >= self._settled:
                after = self._after_tag(after)
        else:
            after = self._last_end
            if not self._last_empty and after >= self._settled:
                after = self._after_tag(after)
        after = max(after, self._settled)
        found = self._buffer.find(b"<", after - self._base)
        self._settle(self._base + len(self._buffer) if found < 0 else self._base + found)

    def _after_tag(self, at: int) -> int:
        """Where the tag that begins there ends."""
        tag = TAG.match(self._buffer, at - self._base)
        if tag is None:  # what expat took for a tag is one
            raise self._refuse("has a tag that cannot be read", "bad-xml")
        return self._base + tag.end()

    def _closed_itself(self, at: int) -> bool:
        """Whether the element that ends has no end tag: then its end is where its start tag ends."""
        start = self._last_start
        if start is None or start < self._base:
            return False
        here = at - self._base
        return self._buffer[here - 2 : here] == b"/>" and self._after_tag(start) == at

    def _tell(self, code: str, name: str = "") -> None:
        if code:
            self._found(code, "/".join([*self._tags, name] if name else self._tags))

    def _doctype(self, *_: object) -> None:
        raise self._refuse("has a document type declaration", "xml-doctype")

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() not in ("utf-8", "us-ascii"):
            raise self._refuse("is not in UTF-8", "bad-xml")

    def _refuse(self, what: str, reason: str) -> InvalidFile:
        return InvalidFile(f"{self._place} {what}.", reason=reason, place=self._place)


@dataclass(slots=True)
class _Leaf:
    """An element whose text is held until it ends."""

    depth: int
    tag: str
    rule: Blank | None
    row: _Row | None
    raw: bytearray = field(default_factory=bytearray)
    texts: list[str] = field(default_factory=list)
    """What the bytes say, as any parser of XML reads it: without comments, references replaced."""
    cut: bool = False
    nested: bool = False
    """Whether it holds elements, which a text has not."""

    @property
    def text(self) -> str:
        """Plain text, empty where Moodle wrote its NULL."""
        text = "".join(self.texts)
        return "" if text == NULL.decode() else text

    def add(self, data: bytes, limit: int) -> None:
        if len(self.raw) + len(data) > limit:
            self.cut = True
            self.texts.clear()
        else:
            self.raw += data


@dataclass(slots=True)
class _Row:
    """A row that is held until it ends; ``spans`` say where in ``held`` the texts of its fields stand."""

    depth: int
    rule: Row
    attributes: dict[str, str]
    held: bytearray
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def fields(self) -> frozenset[str]:
        return self.rule.fields


class _Out:
    """Where bytes go. The white space before an element waits, for it goes when the element does."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._written = 0
        self._space = b""

    def put(self, data: bytes) -> None:
        if self._space:
            data = self._space + data
        kept = data.rstrip(_SPACE)
        if len(data) - len(kept) > _PIECE:
            kept = data
        self._space = data[len(kept) :]
        if kept:
            self._write(kept)
            self._written += len(kept)

    def position(self) -> int:
        """How many bytes were written. Waiting space is written first."""
        self.finish()
        return self._written

    def forget_space(self) -> None:
        self._space = b""

    def finish(self) -> None:
        if self._space:
            self._write(self._space)
            self._written += len(self._space)
            self._space = b""
