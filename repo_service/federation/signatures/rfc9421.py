"""RFC 9421 by http-message-signatures, and what that library leaves to its users.

The library reads structured fields, builds signature bases, compares digests and checks signatures. Ours are
the choice of the algorithm by the key, what has to be covered, one signature only, and the clock: its own
cannot be set. Sections are those of RFC 9421.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import http_sf
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    MappingKeyResolver,
)
from http_message_signatures.algorithms import ED25519, RSA_PSS_SHA512, RSA_V1_5_SHA256

from repo_service.domain.errors import InvalidSignature, SignatureFault
from repo_service.federation.messages import Message
from repo_service.federation.signatures.claims import Scheme, from_http_date, from_seconds, http_date
from repo_service.federation.signatures.digests import check_content_digest
from repo_service.federation.signatures.keys import Kind, PublicKey, SigningKey

_LONGEST: Final = 8192
"""Characters of ``Signature-Input`` and of ``Signature``."""
_MOST_COVERED: Final = 64
_LABEL: Final = "sig1"

_ALGORITHMS: Final[Mapping[tuple[Kind, str | None], tuple[type[HTTPSignatureAlgorithm], ...]]] = {
    ("rsa", None): (RSA_V1_5_SHA256, RSA_PSS_SHA512),
    ("rsa", "rsa-v1_5-sha256"): (RSA_V1_5_SHA256,),
    ("rsa", "rsa-pss-sha512"): (RSA_PSS_SHA512,),
    ("ed25519", None): (ED25519,),
    ("ed25519", "ed25519"): (ED25519,),
}
"""By the kind of the key and ``alg``. Where that is not there the key alone tells (section 3.2, step 6)."""


@dataclass(frozen=True, slots=True)
class Rfc9421Claim:
    """See ``claims.Claim``."""

    key_id: str
    signed_at: tuple[datetime, ...]
    expires: datetime | None
    algorithm: str | None
    message: Message

    @property
    def scheme(self) -> Scheme:
        """See ``claims.Claim``."""
        return Scheme.RFC9421

    def proven(self, key: PublicKey) -> bytes | None:
        """See ``claims.Claim``."""
        algorithms = _ALGORITHMS.get((key.kind, self.algorithm))
        if algorithms is None:
            raise InvalidSignature("This algorithm is none of the key's.", reason=SignatureFault.ALGORITHM)
        bases = (signed_base(self.message, self.key_id, key, algorithm) for algorithm in algorithms)
        return next((base for base in bases if base is not None), None)


def read(message: Message) -> Rfc9421Claim:
    """What the one signature of ``message`` claims. Raises InvalidSignature."""
    inputs, signatures = _dictionary(message, "signature-input"), _dictionary(message, "signature")
    if len(inputs) > 1 or len(signatures) > 1:
        raise InvalidSignature("There is more than one signature.", reason=SignatureFault.SEVERAL)
    if inputs.keys() != signatures.keys():
        raise _malformed("Signature-Input and Signature are not of one another.")
    (components, parameters) = next(iter(inputs.values()))
    if not isinstance(components, list) or len(components) > _MOST_COVERED:
        raise _malformed("Signature-Input is no list of what is signed.")
    # One with parameters is something else (section 2.1): not the whole of the header, or not of this
    # request.
    covered = {name for name, its_parameters in components if isinstance(name, str) and not its_parameters}
    _check_covered(message, covered)
    times = []
    if "created" in parameters:
        times.append(_moment(parameters, "created"))
    if "date" in covered:
        times.append(from_http_date(message.combined("date") or ""))
    if not times:
        raise InvalidSignature("The signature covers no time.", reason=SignatureFault.NO_TIME)
    return Rfc9421Claim(
        key_id=_text(parameters, "keyid"),
        signed_at=tuple(times),
        expires=_moment(parameters, "expires") if "expires" in parameters else None,
        algorithm=_text(parameters, "alg") if "alg" in parameters else None,
        message=message,
    )


def headers(message: Message, key: SigningKey, now: datetime) -> dict[str, str]:
    """What has to be sent along with ``message`` so that it is signed."""
    draft = _Draft(message)
    covers_body = bool(message.body) or message.method == "POST"
    HTTPMessageSigner(
        signature_algorithm=_ALGORITHMS[key.public.kind, None][0],
        key_resolver=MappingKeyResolver(public_keys={}, private_keys={key.key_id: key.native}),
    ).sign(
        draft,
        key_id=key.key_id,
        created=now,
        label=_LABEL,
        covered_component_ids=("@method", "@target-uri"),
        body=message.body if covers_body else None,
    )
    # Date is not signed, for ``created`` is; there are those who ask for one.
    added = {"Host": message.authority, "Date": http_date(now)}
    for name in ("Content-Digest", "Signature-Input", "Signature"):
        if name in draft.headers:
            added[name] = draft.headers[name]
    return added


def signed_base(
    message: Message, key_id: str, key: PublicKey, algorithm: type[HTTPSignatureAlgorithm]
) -> bytes | None:
    """The signature base (section 2.5), if the signature over it is by that key; None if not."""
    verifier = _Verifier(
        signature_algorithm=algorithm,
        key_resolver=MappingKeyResolver(public_keys={key_id: key.native}, private_keys={}),
    )
    try:
        (result,) = verifier.verify(_Draft(message), max_age=None)
    except (HTTPMessageSignaturesException, ValueError, TypeError):
        return None
    return "\n".join(f"{name}: {value}" for name, value in result.covered_components.items()).encode()


class _Verifier(HTTPMessageVerifier):
    """``claims.Window`` looks at the time: by the clock that it is given."""

    def validate_created_and_expires(self, sig_input: object, max_age: object = None) -> None: ...


class _Draft:
    """A message as the library wants it: one value for each header."""

    def __init__(self, message: Message) -> None:
        self.method = message.method
        self.url = message.url
        names = dict.fromkeys(name.lower() for name, _ in message.headers)
        self.headers: dict[str, str] = {name: message.combined(name) or "" for name in names}


def _check_covered(message: Message, covered: set[str]) -> None:
    """Section 7.2.1: the signature has to cover what the request does."""
    if "@method" not in covered:
        raise _uncovered("@method")
    if "@target-uri" not in covered:
        if "@authority" not in covered:
            raise _uncovered("@target-uri, or @authority")
        if "@request-target" not in covered:
            if "@path" not in covered:
                raise _uncovered("the path")
            if "?" in message.target and "@query" not in covered:
                raise _uncovered("the query")
    if "content-digest" in covered:
        check_content_digest(message.combined("content-digest") or "", message.body)
    elif message.body:
        raise InvalidSignature(
            "The signature covers no Content-Digest of the body.", reason=SignatureFault.DIGEST_UNCOVERED
        )


def _dictionary(message: Message, name: str) -> dict[str, Any]:
    """A header that is a dictionary (RFC 9651, section 3.2), and has something in it."""
    text = message.combined(name) or ""

    def refuse(key: str, _context: str) -> None:
        raise _malformed(f"{key} is there twice.")

    try:
        if len(text) > _LONGEST:
            raise _malformed(f"{name} is longer than any.")
        found = http_sf.parse(text.encode("ascii"), tltype="dictionary", on_duplicate_key=refuse)
    except (ValueError, TypeError, RecursionError) as error:
        raise _malformed(f"{name} cannot be read.") from error
    if not isinstance(found, dict) or not found:
        raise _malformed(f"{name} is not there.")
    return found


def _text(parameters: Mapping[str, object], name: str) -> str:
    value = parameters.get(name)
    if type(value) is not str or not value:
        raise _malformed(f"{name} is not there, or no text.")
    return value


def _moment(parameters: Mapping[str, object], name: str) -> datetime:
    value = parameters[name]
    if type(value) is not int:
        raise _malformed(f"{name} is no time.")
    return from_seconds(value, name)


def _uncovered(what: str) -> InvalidSignature:
    return InvalidSignature(f"The signature does not cover {what}.", reason=SignatureFault.NOT_COVERED)


def _malformed(detail: str) -> InvalidSignature:
    return InvalidSignature(detail, reason=SignatureFault.MALFORMED)
