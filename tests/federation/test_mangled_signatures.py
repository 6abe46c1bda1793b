"""Whatever stands in the headers is either a signature or refused in our own words."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from repo_service.domain.errors import InvalidSignature
from repo_service.federation.messages import Message
from repo_service.federation.signatures import Scheme
from tests.federation.peers import ALICE, BODY, HOST, receiver, signed, with_headers

_NAMES = ("Signature", "Signature-Input", "Digest", "Content-Digest", "Date", "Host")
_CHARACTERS = st.characters(min_codepoint=1, max_codepoint=0x2FFF, exclude_characters="\r\n")
_PIECES = [
    *('"', "=", ",", ";", ":", "(", ")", " ", "\t", "-1", "1e9", "9" * 20, ":AA==:", "?1", "@1", '%"', "é"),
    *(
        "sig1=",
        'keyId="',
        "created=",
        "expires=",
        '"@method"',
        '"@target-uri"',
        '"content-digest"',
        ";req",
        ";key=",
    ),
    *("(created)", "(request-target)", "host", "date", "digest", "sha-256=", "SHA-256="),
]
_PATCHWORK = st.lists(st.sampled_from(_PIECES), max_size=30).map("".join)
_VALUES = st.text(_CHARACTERS, max_size=120) | _PATCHWORK


def _is_refused_or_alices(message: Message) -> bool:
    with suppress(InvalidSignature):
        assert receiver().verify(message).actor == ALICE
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(Scheme)), st.dictionaries(st.sampled_from(_NAMES), _VALUES, min_size=1))
def test_any_header(scheme: Scheme, headers: dict[str, str]) -> None:
    _is_refused_or_alices(with_headers(signed(scheme=scheme), headers))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(Scheme)), st.sampled_from(_NAMES), st.data())
def test_a_header_with_something_put_in(scheme: Scheme, name: str, data: st.DataObject) -> None:
    message = signed(scheme=scheme)
    value = message.combined(name) or ""
    begin = data.draw(st.integers(0, len(value)))
    end = data.draw(st.integers(begin, min(len(value), begin + 8)))

    _is_refused_or_alices(with_headers(message, {name: value[:begin] + data.draw(_VALUES) + value[end:]}))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(list(Scheme)), st.binary(max_size=80))
def test_any_other_body(scheme: Scheme, body: bytes) -> None:
    assert body == BODY or _is_refused_or_alices(replace(signed(scheme=scheme), body=body))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(list(Scheme)), st.text("/?#%20aé.:@[]\\", min_size=1, max_size=12))
def test_any_other_target(scheme: Scheme, rest: str) -> None:
    with suppress(ValueError):  # no address
        message = replace(signed(scheme=scheme), url=f"https://{HOST}{rest}")
        assert _is_refused_or_alices(message)
