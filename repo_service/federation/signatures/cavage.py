"""draft-cavage-http-signatures-12, as the fediverse speaks it.

Where they differ from the draft: signatures stand in ``Signature`` (never in ``Authorization``), ``hs2019``
with an RSA key mostly means RSASSA-PKCS1-v1_5, and Ed25519 is plain. Sections are those of the draft.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from repo_service.domain.errors import InvalidSignature, SignatureFault
from repo_service.federation.messages import Message
from repo_service.federation.signatures.claims import Scheme, from_http_date, from_seconds, http_date
from repo_service.federation.signatures.digests import check_digest, digest
from repo_service.federation.signatures.keys import Check, Kind, PublicKey, SigningKey

_LONGEST: Final = 8192
"""Characters of a ``Signature``: what an 8192-bit key makes takes 1,400."""
_MOST_COVERED: Final = 64
_PARAMETER: Final = re.compile(
    r'[ \t]*(?P<name>[A-Za-z]+)=(?:"(?P<text>[^"\\]*)"|(?P<number>\d{1,12}(?:\.\d{1,6})?))[ \t]*(?:,|$)'
)
_KNOWN: Final = {
    "keyId": False,
    "signature": False,
    "algorithm": False,
    "headers": False,
    "created": True,
    "expires": True,
}
"""Section 2.1: the parameters, and whether each is a number."""
_NAME: Final = re.compile(r"\((?:request-target|created|expires)\)|[!#$%&'*+.^_`|~0-9a-z-]+")

_CHECKS: Final[Mapping[tuple[Kind, str], tuple[Check, ...]]] = {
    ("rsa", ""): ("rsa-v1_5-sha256",),
    ("rsa", "rsa-sha256"): ("rsa-v1_5-sha256",),
    ("rsa", "rsa-sha512"): ("rsa-v1_5-sha512",),
    # Appendix E.2 says PSS; Mastodon, Pleroma and Misskey send the first, go-fed the second.
    ("rsa", "hs2019"): ("rsa-v1_5-sha256", "rsa-v1_5-sha512", "rsa-pss-sha512"),
    ("ed25519", ""): ("ed25519",),
    ("ed25519", "hs2019"): ("ed25519",),
    ("ed25519", "ed25519"): ("ed25519",),
}


@dataclass(frozen=True, slots=True)
class CavageClaim:
    """See ``claims.Claim``."""

    key_id: str
    signed_at: tuple[datetime, ...]
    expires: datetime | None
    algorithm: str
    signature: bytes
    signing_string: bytes

    @property
    def scheme(self) -> Scheme:
        """See ``claims.Claim``."""
        return Scheme.CAVAGE

    def proven(self, key: PublicKey) -> bytes | None:
        """See ``claims.Claim``."""
        checks = _CHECKS.get((key.kind, self.algorithm))
        if checks is None:
            raise InvalidSignature("This algorithm is none of the key's.", reason=SignatureFault.ALGORITHM)
        fits = any(key.fits(self.signature, self.signing_string, check) for check in checks)
        return self.signing_string if fits else None


def read(message: Message) -> CavageClaim:
    """What the ``Signature`` of ``message`` claims. Raises InvalidSignature."""
    parameters = _parameters(message.combined("signature") or "")
    # Section 2.1.6: without the parameter it is as if (created) alone were covered.
    covered = tuple(parameters.get("headers", "(created)").lower().split(" "))
    if (
        len(covered) > _MOST_COVERED
        or len(set(covered)) < len(covered)
        or not all(map(_NAME.fullmatch, covered))
    ):
        raise _malformed("The list of what is signed is not as it has to be.")
    _check_covered(message, covered)
    algorithm = parameters.get("algorithm", "").lower()
    if algorithm.startswith(("rsa", "hmac", "ecdsa")) and {"(created)", "(expires)"} & set(covered):
        raise _malformed("(created) and (expires) do not go with this algorithm.")  # section 2.3
    times = []
    if "(created)" in covered:
        times.append(_moment(parameters, "created"))
    if "date" in covered:
        times.append(from_http_date(message.combined("date") or ""))
    return CavageClaim(
        key_id=parameters["keyId"],
        signed_at=tuple(times),
        expires=_moment(parameters, "expires") if "expires" in parameters else None,
        algorithm=algorithm,
        signature=_signature(parameters["signature"]),
        signing_string=signing_string(message, covered, parameters),
    )


def headers(message: Message, key: SigningKey, now: datetime) -> dict[str, str]:
    """What has to be sent along with ``message`` so that it is signed."""
    added = {"Host": message.authority, "Date": http_date(now)}
    if message.body or message.method == "POST":
        added["Digest"] = digest(message.body)
    covered = ["(request-target)", *(name.lower() for name in added)]
    # Some want the type covered that they read the body by.
    covered += ["content-type"] if message.values("content-type") else []
    kept = [header for header in message.headers if header[0].lower() not in map(str.lower, added)]
    whole = Message(message.method, message.url, (*kept, *added.items()), message.body)
    signature = base64.b64encode(key.sign(signing_string(whole, tuple(covered), {}))).decode()
    algorithm = "rsa-sha256" if key.public.kind == "rsa" else "hs2019"
    added["Signature"] = (
        f'keyId="{key.key_id}",algorithm="{algorithm}",headers="{" ".join(covered)}",signature="{signature}"'
    )
    return added


def _parameters(text: str) -> dict[str, str]:
    """Section 2.1, each once; those that nobody knows are left alone (section 2.2)."""
    if len(text) > _LONGEST:
        raise _malformed("The signature is longer than any.")
    found: dict[str, str] = {}
    place = 0
    while place < len(text):
        parameter = _PARAMETER.match(text, place)
        if parameter is None or parameter["name"] in found:
            raise _malformed("The signature cannot be read, or says something twice.")
        is_number = parameter["number"] is not None
        if parameter["name"] in _KNOWN and is_number != _KNOWN[parameter["name"]]:
            raise _malformed(f"{parameter['name']} is not as it has to be.")
        found[parameter["name"]] = parameter["number"] if is_number else parameter["text"]
        place = parameter.end()
    if not found.get("keyId") or not found.get("signature"):
        raise _malformed("The signature has no keyId, or no signature.")
    return found


def _check_covered(message: Message, covered: tuple[str, ...]) -> None:
    for name in ("(request-target)", "host"):
        if name not in covered:
            raise InvalidSignature(f"The signature does not cover {name}.", reason=SignatureFault.NOT_COVERED)
    if "date" not in covered and "(created)" not in covered:
        raise InvalidSignature("The signature covers no time.", reason=SignatureFault.NO_TIME)
    if "digest" in covered:
        check_digest(message.combined("digest") or "", message.body)
    elif message.body:
        raise InvalidSignature(
            "The signature covers no Digest of the body.", reason=SignatureFault.DIGEST_UNCOVERED
        )


def signing_string(message: Message, covered: tuple[str, ...], parameters: Mapping[str, str]) -> bytes:
    """What is signed (section 2.3). Raises InvalidSignature where something of it is not there."""
    special = {
        "(request-target)": f"{message.method.lower()} {message.target}",
        "(created)": parameters.get("created"),
        "(expires)": parameters.get("expires"),
    }
    lines = []
    for name in covered:
        value = special[name] if name in special else message.combined(name)
        if value is None:
            raise _malformed(f"The signature covers {name}, which is not there.")
        lines.append(f"{name}: {value}")
    try:
        return "\n".join(lines).encode("latin-1")  # as headers are on the wire
    except UnicodeEncodeError as error:
        raise _malformed("A header has characters that there are none of in headers.") from error


def _moment(parameters: Mapping[str, str], name: str) -> datetime:
    value = parameters.get(name, "")
    if not value or (name == "created" and "." in value):  # sections 2.1.4 and 2.1.5
        raise _malformed(f"{name} is not there, or no time.")
    return from_seconds(float(value), name)


def _signature(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise _malformed("The signature is not base 64.") from error


def _malformed(detail: str) -> InvalidSignature:
    return InvalidSignature(detail, reason=SignatureFault.MALFORMED)
