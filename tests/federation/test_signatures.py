"""Every check of a signature, both ways of signing: what passes, and what each check refuses."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA512

from repo_service.domain.errors import (
    InvalidSignature,
    RemoteFailed,
    RemoteFault,
    SignatureFault,
    SignerUnreachable,
)
from repo_service.federation.messages import Message
from repo_service.federation.signatures import PublicKey, Scheme, SigningKey, UnfitKey, cavage, sign
from repo_service.federation.signatures.claims import http_date
from repo_service.federation.signatures.digests import content_digest, digest
from tests.federation.peers import (
    ALICE,
    BODY,
    HOST,
    INBOX,
    NOW,
    Web,
    actor,
    key_of,
    post,
    receiver,
    signed,
    with_headers,
)

both = pytest.mark.parametrize("scheme", list(Scheme))
GET = Message("GET", f"https://{HOST}/outbox?page=2")


def reason_of(message: Message, **changed: Any) -> SignatureFault:
    """Why ``message`` is refused, by one who can find Alice."""
    here = replace(receiver(), **changed)
    with pytest.raises(InvalidSignature) as refused:
        here.verify(message)
    assert not here.memory.seen  # what proves nothing is not remembered
    return refused.value.reason


def by_hand(
    message: Message,
    covered: str = "(request-target) host date digest",
    *,
    extra: str = "",
    algorithm: str | None = "rsa-sha256",
    key: SigningKey | None = None,
    signature: bytes | None = None,
    **parameters: str,
) -> Message:
    """Signed by draft-cavage as somebody else might: over just what is ``covered``."""
    added: dict[str, str | None] = {"Host": HOST, "Date": http_date(NOW), "Digest": digest(message.body)}
    whole = with_headers(message, added)
    if signature is None:
        text = cavage.signing_string(whole, tuple(covered.split(" ")), parameters)
        signature = (key or key_of()).sign(text)
    fields = [f'keyId="{key_of().key_id}"', f'headers="{covered}"', f'signature="{b64(signature)}"']
    fields += [f"{name}={value}" for name, value in parameters.items()]
    fields += [f'algorithm="{algorithm}"'] if algorithm else []
    return with_headers(whole, {"Signature": ",".join(fields) + extra})


def by_library(
    message: Message, covered: str, *, parameters: str | None = None, label: str = "sig1", **headers: str
) -> Message:
    """Signed by RFC 9421 as somebody else might. What is signed is put together here, not by the library."""
    added: dict[str, str | None] = {"Host": HOST, "Date": http_date(NOW), **headers}
    if message.body and "Content-Digest" not in added:
        added["Content-Digest"] = content_digest(message.body)
    whole = with_headers(message, added)
    if parameters is None:
        parameters = f';created={int(NOW.timestamp())};keyid="{key_of().key_id}";alg="rsa-v1_5-sha256"'
    names = re.findall(r'"([^"]+)"', covered)
    path, _, query = whole.target.partition("?")
    special = {
        "@method": whole.method,
        "@target-uri": whole.url,
        "@authority": whole.authority,
        "@path": path,
        "@query": f"?{query}",
        "@request-target": whole.target,
    }
    lines = [f'"{name}": {special.get(name) or whole.combined(name)}' for name in names]
    base = "\n".join([*lines, f'"@signature-params": ({covered}){parameters}'])
    signature = b64(key_of().sign(base.encode()))
    return with_headers(
        whole, {"Signature-Input": f"{label}=({covered}){parameters}", "Signature": f"{label}=:{signature}:"}
    )


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class TestWhatPasses:
    @both
    @pytest.mark.parametrize("kind", ["rsa", "ed25519"])
    @pytest.mark.parametrize("message", [post(), GET, post(b"")], ids=["post", "get", "empty"])
    def test_what_we_sign(self, scheme: Scheme, kind: Any, message: Message) -> None:
        key = key_of(kind)

        found = receiver(key).verify(signed(message, key, scheme=scheme))

        assert (found.key_id, found.actor, found.scheme) == (key.key_id, ALICE, scheme)

    @both
    def test_clocks_that_differ_a_little(self, scheme: Scheme) -> None:
        for ago in (timedelta(minutes=-4), timedelta(minutes=62)):
            assert receiver().verify(signed(scheme=scheme, ago=ago)).actor == ALICE

    @pytest.mark.parametrize(
        ("algorithm", "padding", "hashed"),
        [
            (None, PKCS1v15(), SHA256()),
            ("rsa-sha256", PKCS1v15(), SHA256()),
            ("rsa-sha512", PKCS1v15(), SHA512()),
            ("hs2019", PKCS1v15(), SHA256()),
            ("hs2019", PKCS1v15(), SHA512()),
            ("hs2019", PSS(MGF1(SHA512()), 64), SHA512()),
        ],
    )
    def test_algorithms_of_rsa_that_peers_use(self, algorithm: str | None, padding: Any, hashed: Any) -> None:
        native = key_of().native
        assert isinstance(native, RSAPrivateKey)
        whole = by_hand(post(), algorithm=algorithm)
        text = cavage.signing_string(whole, ("(request-target)", "host", "date", "digest"), {})

        message = by_hand(post(), algorithm=algorithm, signature=native.sign(text, padding, hashed))

        assert receiver().verify(message).actor == ALICE

    def test_created_instead_of_a_date(self) -> None:
        message = by_hand(
            post(),
            "(request-target) (created) (expires) host digest",
            algorithm="hs2019",
            created=str(int(NOW.timestamp())),
            expires=f"{NOW.timestamp() + 30:.1f}",
        )

        assert receiver().verify(message).actor == ALICE

    def test_unknown_parameters_and_space_between_them(self) -> None:
        message = by_hand(post(), extra=' , nonce="a",opaque=7')

        assert receiver().verify(message).actor == ALICE

    @pytest.mark.parametrize(
        "covered",
        [
            # Fedify
            '"@method" "@target-uri" "@authority" "host" "date" "content-digest"',
            '"@method" "@authority" "@path" "content-digest"',
            '"@method" "@authority" "@request-target" "content-digest"',
        ],
    )
    def test_components_that_peers_cover(self, covered: str) -> None:
        assert receiver().verify(by_library(post(), covered)).actor == ALICE

    def test_a_query_covered_apart(self) -> None:
        assert receiver().verify(by_library(GET, '"@method" "@authority" "@path" "@query"')).actor == ALICE

    def test_a_covered_date_instead_of_created(self) -> None:
        parameters = f';keyid="{key_of().key_id}"'
        message = by_library(post(), '"@method" "@target-uri" "date" "content-digest"', parameters=parameters)

        assert receiver().verify(message).actor == ALICE

    def test_two_digests_that_are_right(self) -> None:
        both_digests = f"{content_digest(BODY)}, {content_digest_512(BODY)}"
        message = by_library(
            post(), '"@method" "@target-uri" "content-digest"', **{"Content-Digest": both_digests}
        )

        assert receiver().verify(message).actor == ALICE

    def test_it_speaks_for_who_signed_and_nobody_else(self) -> None:
        found = receiver().verify(signed())

        found.speaks_for(ALICE)
        for other in ("https://peer.example/users/bob", None, [ALICE], {"id": ALICE}):
            with pytest.raises(InvalidSignature) as refused:
                found.speaks_for(other)
            assert refused.value.reason is SignatureFault.ACTOR_MISMATCH


class TestForm:
    def test_no_signature(self) -> None:
        message = with_headers(post(), {"Host": HOST})

        assert reason_of(message) is SignatureFault.MISSING
        # Authorization is not where we look for one.
        value = f"Signature {signed().combined('signature')}"
        assert reason_of(with_headers(message, {"Authorization": value})) is SignatureFault.MISSING

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "Bearer abc",
            'keyId="a"',
            'keyId="",signature="AA=="',
            'keyId="https://a.example/",signature=""',
            'keyId="https://a.example/"signature="AA=="',
            "keyId=https://a.example/,signature=AA==",
            'keyId="https://a.example/" x,signature="AA=="',
            'keyId="https://a.example/",signature="AA==",created="1"',
            'keyId="https://a.example/",signature="AA==",headers=3',
            'keyId="https://a.example/\\"",signature="AA=="',
            'keyId="' + "a" * 9000 + '",signature="AA=="',
        ],
    )
    def test_unreadable_by_draft_cavage(self, value: str) -> None:
        assert reason_of(with_headers(signed(), {"Signature": value})) is SignatureFault.MALFORMED

    @pytest.mark.parametrize("name", ["keyId", "signature", "headers", "algorithm"])
    def test_a_parameter_twice(self, name: str) -> None:
        message = by_hand(post(), extra=f',{name}="x"')

        assert reason_of(message) is SignatureFault.MALFORMED

    @pytest.mark.parametrize(
        "covered",
        [
            "(request-target) host date date digest",
            "(request-target) host  date digest",
            "(request-target) host date digest (status)",
            "(request-target) host date digest x:y",
        ],
    )
    def test_a_list_of_headers_that_is_none(self, covered: str) -> None:
        message = by_hand(post())
        value = (message.combined("signature") or "").replace("(request-target) host date digest", covered)

        assert reason_of(with_headers(message, {"Signature": value})) is SignatureFault.MALFORMED

    def test_more_headers_than_anybody_signs(self) -> None:
        many = with_headers(post(), {f"X{number}": "y" for number in range(70)})
        names = [f"x{number}" for number in range(70)]

        cavage_message = by_hand(many, "(request-target) host date digest " + " ".join(names))
        covered = " ".join(f'"{name}"' for name in ("@method", "@target-uri", "content-digest", *names))

        assert reason_of(cavage_message) is SignatureFault.MALFORMED
        assert reason_of(by_library(many, covered)) is SignatureFault.MALFORMED

    def test_longer_than_any(self) -> None:
        parameters = f';created={int(NOW.timestamp())};keyid="{key_of().key_id}";nonce="{"a" * 9000}"'
        message = by_library(post(), '"@method" "@target-uri" "content-digest"', parameters=parameters)

        assert reason_of(message) is SignatureFault.MALFORMED

    def test_labels_that_are_not_of_one_another(self) -> None:
        message = signed(scheme=Scheme.RFC9421)
        value = (message.combined("signature") or "").replace("sig1", "sig2")

        assert reason_of(with_headers(message, {"Signature": value})) is SignatureFault.MALFORMED

    def test_a_covered_header_that_is_not_there(self) -> None:
        message = with_headers(
            by_hand(post(), "(request-target) host date digest content-type"), {"Content-Type": None}
        )

        assert reason_of(message) is SignatureFault.MALFORMED

    def test_a_signature_that_is_not_base_64(self) -> None:
        message = signed()
        value = re.sub(r'signature="..', 'signature="?é', message.combined("signature") or "")

        assert reason_of(with_headers(message, {"Signature": value})) is SignatureFault.MALFORMED

    @pytest.mark.parametrize("created", ["(created)", "(expires)"])
    def test_times_that_do_not_go_with_rsa_sha256(self, created: str) -> None:
        now = str(int(NOW.timestamp()))
        message = by_hand(post(), f"(request-target) {created} host date digest", created=now, expires=now)

        assert reason_of(message) is SignatureFault.MALFORMED

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("Signature-Input", "sig1"),
            ("Signature-Input", "sig1=;"),
            ("Signature-Input", 'sig1="@method"'),
            ("Signature-Input", "sig1=()"),
            ("Signature-Input", "é"),
            ("Signature-Input", 'other=("@method")'),
            ("Signature-Input", 'sig1=("@method"), sig1=("@method")'),
            ("Signature-Input", "sig1=(" + '"a" ' * 3000 + ")"),
            ("Signature", "sig1"),
            ("Signature", "sig1=:AA==:, sig1=:AA==:"),
            ("Signature", None),
        ],
    )
    def test_unreadable_by_rfc_9421(self, name: str, value: str | None) -> None:
        message = with_headers(signed(scheme=Scheme.RFC9421), {name: value})

        assert reason_of(message) in {
            SignatureFault.MALFORMED,
            SignatureFault.NOT_COVERED,  # ()
            SignatureFault.MISMATCH,  # a Signature that is a truth value
        }

    def test_parameters_of_other_types(self) -> None:
        for wrong in (
            ';created="1";keyid="https://a/"',
            ";created=1",
            ";created=1;keyid=token",
            ";created=1.5",
        ):
            message = by_library(post(), '"@method" "@target-uri" "content-digest"', parameters=wrong)
            assert reason_of(message) is SignatureFault.MALFORMED

    def test_a_parameter_that_nobody_knows(self) -> None:
        parameters = f';created={int(NOW.timestamp())};keyid="{key_of().key_id}";trust=1'
        message = by_library(post(), '"@method" "@target-uri" "content-digest"', parameters=parameters)

        assert reason_of(message) is SignatureFault.MISMATCH

    def test_several_signatures(self) -> None:
        message = signed(scheme=Scheme.RFC9421)
        inputs, signatures = message.combined("signature-input"), message.combined("signature")
        two = with_headers(
            message,
            {
                "Signature-Input": f"{inputs}, {str(inputs).replace('sig1', 'sig2')}",
                "Signature": f"{signatures}, {str(signatures).replace('sig1', 'sig2')}",
            },
        )

        assert reason_of(two) is SignatureFault.SEVERAL

    @both
    @pytest.mark.parametrize(
        "name", ["Signature", "Date", "Host", "Content-Type", "Digest", "Content-Digest", "Signature-Input"]
    )
    def test_a_header_twice(self, scheme: Scheme, name: str) -> None:
        message = signed(scheme=scheme)
        value = message.combined(name) or "x"
        twice = Message(
            message.method, message.url, (*message.headers, (name, value), (name, value)), message.body
        )

        assert reason_of(twice) is SignatureFault.DUPLICATE_HEADER

    def test_headers_put_together_on_the_way(self) -> None:
        """WSGI servers join headers of one name with commas."""
        message = signed()
        for name in ("Host", "Date", "Digest", "Signature"):
            value = message.combined(name)
            with pytest.raises(InvalidSignature):
                receiver().verify(with_headers(message, {name: f"{value},{value}"}))


class TestCoverage:
    @pytest.mark.parametrize(
        ("covered", "reason"),
        [
            ("host date digest", SignatureFault.NOT_COVERED),
            ("(request-target) date digest", SignatureFault.NOT_COVERED),
            ("(request-target) host digest", SignatureFault.NO_TIME),
            ("(request-target) host date", SignatureFault.DIGEST_UNCOVERED),
            ("date", SignatureFault.NOT_COVERED),
        ],
    )
    def test_by_draft_cavage(self, covered: str, reason: SignatureFault) -> None:
        assert reason_of(by_hand(post(), covered)) is reason

    def test_no_list_is_created_alone(self) -> None:
        message = by_hand(post())
        value = re.sub(r'headers="[^"]*",', "", message.combined("signature") or "")

        assert reason_of(with_headers(message, {"Signature": value})) is SignatureFault.NOT_COVERED

    @pytest.mark.parametrize(
        ("covered", "reason"),
        [
            ("", SignatureFault.NOT_COVERED),
            ('"@target-uri" "content-digest"', SignatureFault.NOT_COVERED),
            ('"@method" "content-digest"', SignatureFault.NOT_COVERED),
            ('"@method" "@path" "content-digest"', SignatureFault.NOT_COVERED),
            ('"@method" "@authority" "content-digest"', SignatureFault.NOT_COVERED),
            ('"@method" "@target-uri"', SignatureFault.DIGEST_UNCOVERED),
            ('"@method" "@target-uri" "digest"', SignatureFault.DIGEST_UNCOVERED),
            ('"@method" "@target-uri" "content-digest";key="sha-256"', SignatureFault.DIGEST_UNCOVERED),
            ('"@method" "@target-uri" "content-digest";req', SignatureFault.DIGEST_UNCOVERED),
            ('"@method";req "@target-uri" "content-digest"', SignatureFault.NOT_COVERED),
        ],
    )
    def test_by_rfc_9421(self, covered: str, reason: SignatureFault) -> None:
        assert reason_of(by_library(post(), covered)) is reason

    def test_a_query_that_is_not_covered(self) -> None:
        covered = '"@method" "@authority" "@path"'

        assert reason_of(by_library(GET, covered)) is SignatureFault.NOT_COVERED
        assert (
            reason_of(by_library(replace(GET, url=f"https://{HOST}/outbox?"), covered))
            is SignatureFault.NOT_COVERED
        )

    def test_no_time_at_all(self) -> None:
        parameters = f';keyid="{key_of().key_id}"'
        message = by_library(post(), '"@method" "@target-uri" "content-digest"', parameters=parameters)

        assert reason_of(message) is SignatureFault.NO_TIME

    @both
    def test_a_body_on_a_get(self, scheme: Scheme) -> None:
        message = replace(signed(GET, scheme=scheme), body=BODY)

        assert reason_of(message) is SignatureFault.DIGEST_UNCOVERED


class TestWhatWasChanged:
    @both
    @pytest.mark.parametrize("body", [BODY + b" ", BODY[:-1], b"", BODY.upper()])
    def test_the_body(self, scheme: Scheme, body: bytes) -> None:
        message = replace(signed(scheme=scheme), body=body)

        assert reason_of(message) is SignatureFault.DIGEST_MISMATCH

    @both
    def test_the_body_with_its_digest(self, scheme: Scheme) -> None:
        other = b'{"type": "Delete"}'
        message = with_headers(
            replace(signed(scheme=scheme), body=other),
            {"Digest": digest(other)}
            if scheme is Scheme.CAVAGE
            else {"Content-Digest": content_digest(other)},
        )

        assert reason_of(message) is SignatureFault.MISMATCH

    @both
    @pytest.mark.parametrize(
        "url", [f"{INBOX}/", f"{INBOX}?a=b", f"https://{HOST}/users/bob/inbox", f"https://{HOST}/%69nbox"]
    )
    def test_the_target(self, scheme: Scheme, url: str) -> None:
        assert reason_of(replace(signed(scheme=scheme), url=url)) is SignatureFault.MISMATCH

    @both
    @pytest.mark.parametrize("query", ["", "?page=3", "?page=2&x", "?Page=2"])
    def test_the_query(self, scheme: Scheme, query: str) -> None:
        message = replace(signed(GET, scheme=scheme), url=f"https://{HOST}/outbox{query}")

        assert reason_of(message) is SignatureFault.MISMATCH

    @both
    def test_the_method(self, scheme: Scheme) -> None:
        assert reason_of(replace(signed(scheme=scheme), method="DELETE")) is SignatureFault.MISMATCH

    def test_the_date(self) -> None:
        later = http_date(NOW + timedelta(minutes=1))

        assert reason_of(with_headers(signed(), {"Date": later})) is SignatureFault.MISMATCH

    def test_the_time_of_its_making(self) -> None:
        message = signed(scheme=Scheme.RFC9421)
        value = (message.combined("signature-input") or "").replace("created=", "created=1")
        now = str(int(NOW.timestamp()))
        value = re.sub(r"created=\d+", f"created={int(now) + 1}", value)

        assert reason_of(with_headers(message, {"Signature-Input": value})) is SignatureFault.MISMATCH

    @both
    def test_another_key_than_it_names(self, scheme: Scheme) -> None:
        stranger = SigningKey(key_of().key_id, key_of("rsa", 1).native)

        assert reason_of(signed(key=stranger, scheme=scheme)) is SignatureFault.MISMATCH

    @both
    def test_another_host(self, scheme: Scheme) -> None:
        """What was sent to somebody else proves nothing here."""
        elsewhere = signed(post(url="https://other.example/inbox"), scheme=scheme)

        assert reason_of(elsewhere) is SignatureFault.WRONG_HOST
        assert reason_of(replace(elsewhere, url=INBOX)) is SignatureFault.WRONG_HOST
        assert reason_of(with_headers(signed(scheme=scheme), {"Host": None})) is SignatureFault.WRONG_HOST
        changed = with_headers(replace(elsewhere, url=INBOX), {"Host": HOST})
        assert reason_of(changed) is SignatureFault.MISMATCH

    def test_another_host_of_ours(self) -> None:
        """One service may have several names: a request to one of them is none to another."""
        message = replace(signed(post(url="https://other.example/inbox")), url=INBOX)

        with pytest.raises(InvalidSignature) as refused:
            receiver().verify(message, hosts={HOST, "other.example"})

        assert refused.value.reason is SignatureFault.WRONG_HOST


class TestDigests:
    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ("MD5=1B2M2Y8AsgTpgAmY7PhCfg==", SignatureFault.DIGEST_UNCOVERED),
            ("", SignatureFault.DIGEST_UNCOVERED),
            ("SHA-256=?", SignatureFault.MALFORMED),
            ("SHA-256=é", SignatureFault.MALFORMED),
            ("SHA-256=AAAA", SignatureFault.DIGEST_MISMATCH),
            (f"{digest(BODY)},SHA-512=AAAA", SignatureFault.DIGEST_MISMATCH),
            (f"{digest(BODY)},{digest(b'')}", SignatureFault.MALFORMED),
        ],
    )
    def test_by_rfc_3230(self, value: str, reason: SignatureFault) -> None:
        message = with_headers(signed(), {"Digest": value})

        assert reason_of(message) is reason

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:",
            "sha-256=AAAA",
            "sha-256=:AAAA:",
            f"{content_digest(BODY)}, sha-512=:AAAA:",
            f"{content_digest(b'')}, {content_digest(BODY)}",
            "é",
        ],
    )
    def test_by_rfc_9530(self, value: str) -> None:
        message = with_headers(signed(scheme=Scheme.RFC9421), {"Content-Digest": value})

        assert reason_of(message) is SignatureFault.DIGEST_MISMATCH

    def test_other_algorithms_beside_it_do_not_matter_by_rfc_3230(self) -> None:
        added: dict[str, str | None] = {"Digest": f"md5=AAAA,{digest(BODY)}"}
        message = with_headers(by_hand(post()), added)
        text = cavage.signing_string(message, ("(request-target)", "host", "date", "digest"), {})
        value = re.sub(
            r'signature="[^"]*"',
            f'signature="{b64(key_of().sign(text))}"',
            message.combined("signature") or "",
        )

        assert receiver().verify(with_headers(message, {"Signature": value})).actor == ALICE


class TestTime:
    @both
    @pytest.mark.parametrize(
        ("ago", "reason"),
        [
            (timedelta(minutes=66), SignatureFault.STALE),
            (timedelta(days=4000), SignatureFault.STALE),
            (timedelta(minutes=-6), SignatureFault.FUTURE),
        ],
    )
    def test_outside_of_the_window(self, scheme: Scheme, ago: timedelta, reason: SignatureFault) -> None:
        assert reason_of(signed(scheme=scheme, ago=ago)) is reason

    @pytest.mark.parametrize(
        "date",
        [
            "",
            "yesterday",
            "2026-05-04T12:00:00Z",
            "Mon, 04 May 2026 12:00:00 +0000",
            "Mon, 99 May 2026 12:00:00 GMT",
            "Mon, 04 Foo 2026 12:00:00 GMT",
        ],
    )
    def test_a_date_that_is_none(self, date: str) -> None:
        assert reason_of(with_headers(signed(), {"Date": date})) is SignatureFault.MALFORMED

    def test_expired_long_before_the_window_ends(self) -> None:
        at = int(NOW.timestamp())
        cavage_message = by_hand(
            post(),
            "(request-target) (created) (expires) host digest",
            algorithm="hs2019",
            created=str(at - 600),
            expires=str(at - 301),
        )
        message = by_library(
            post(),
            '"@method" "@target-uri" "content-digest"',
            parameters=f';created={at - 600};expires={at - 301};keyid="{key_of().key_id}"',
        )

        assert reason_of(cavage_message) is SignatureFault.EXPIRED
        assert reason_of(message) is SignatureFault.EXPIRED

    def test_an_end_far_away_does_not_make_the_window_longer(self) -> None:
        at = int(NOW.timestamp())
        message = by_library(
            post(),
            '"@method" "@target-uri" "content-digest"',
            parameters=f';created={at - 7200};expires={at + 9999};keyid="{key_of().key_id}"',
        )

        assert reason_of(message) is SignatureFault.STALE

    def test_a_stale_date_beside_a_fresh_time(self) -> None:
        message = by_library(
            post(),
            '"@method" "@target-uri" "date" "content-digest"',
            Date=http_date(NOW - timedelta(days=1)),
        )

        assert reason_of(message) is SignatureFault.STALE

    @pytest.mark.parametrize("created", ["999999999999", "1.5", "0.0"])
    def test_times_that_there_are_not(self, created: str) -> None:
        message = by_hand(
            post(), "(request-target) (created) host digest", algorithm="hs2019", created=created
        )

        assert reason_of(message) is SignatureFault.MALFORMED

    def test_a_number_out_of_all_reason(self) -> None:
        for created in (999_999_999_999_999, -1):
            parameters = f';created={created};keyid="{key_of().key_id}"'
            message = by_library(post(), '"@method" "@target-uri" "content-digest"', parameters=parameters)
            assert reason_of(message) is SignatureFault.MALFORMED


class TestAlgorithms:
    @pytest.mark.parametrize("algorithm", ["hmac-sha256", "rsa-sha1", "ed25519", "ecdsa-sha256", "none"])
    def test_that_are_none_of_an_rsa_key(self, algorithm: str) -> None:
        assert reason_of(by_hand(post(), algorithm=algorithm)) is SignatureFault.ALGORITHM

    @pytest.mark.parametrize("algorithm", ["hmac-sha256", "ed25519", "ecdsa-p256-sha256", "RSA-V1_5-SHA256"])
    def test_that_are_none_of_an_rsa_key_by_rfc_9421(self, algorithm: str) -> None:
        parameters = f';created={int(NOW.timestamp())};keyid="{key_of().key_id}";alg="{algorithm}"'
        message = by_library(post(), '"@method" "@target-uri" "content-digest"', parameters=parameters)

        assert reason_of(message) is SignatureFault.ALGORITHM

    def test_an_rsa_signature_where_the_key_is_ed25519(self) -> None:
        """The key decides, whatever the header says."""
        with pytest.raises(InvalidSignature) as refused:
            receiver(key_of("ed25519")).verify(by_hand(post(), algorithm="rsa-sha256"))
        assert refused.value.reason is SignatureFault.ALGORITHM
        with pytest.raises(InvalidSignature) as refused:
            receiver(key_of("ed25519")).verify(by_hand(post(), algorithm="hs2019"))
        assert refused.value.reason is SignatureFault.MISMATCH

    def test_sha_1_is_never_enough(self) -> None:
        native = key_of().native
        assert isinstance(native, RSAPrivateKey)
        text = cavage.signing_string(by_hand(post()), ("(request-target)", "host", "date", "digest"), {})
        signature = native.sign(text, PKCS1v15(), SHA1())

        for algorithm in ("hs2019", "rsa-sha256", None):
            message = by_hand(post(), algorithm=algorithm, signature=signature)
            assert reason_of(message) is SignatureFault.MISMATCH

    def test_the_public_key_as_a_shared_secret(self) -> None:
        """The confusion that broke JWT libraries: hmac with what everybody knows."""
        text = cavage.signing_string(by_hand(post()), ("(request-target)", "host", "date", "digest"), {})
        signature = hmac.digest(key_of().public.pem.encode(), text, hashlib.sha256)

        for algorithm in ("hmac-sha256", "hs2019"):
            message = by_hand(post(), algorithm=algorithm, signature=signature)
            assert reason_of(message) in {SignatureFault.ALGORITHM, SignatureFault.MISMATCH}

    def test_a_weak_key(self) -> None:
        weak = generate_private_key(65537, 1024)
        with pytest.raises(UnfitKey, match="2048"):
            PublicKey(weak.public_key())


class TestReplay:
    @both
    def test_the_same_request_again(self, scheme: Scheme) -> None:
        here = receiver()
        message = signed(scheme=scheme)
        here.verify(message)

        with pytest.raises(InvalidSignature) as refused:
            here.verify(message)

        assert refused.value.reason is SignatureFault.REPLAYED

    def test_the_same_in_other_words(self) -> None:
        """What is not signed can be changed, and it is still the same request."""
        here = receiver()
        message = signed(scheme=Scheme.RFC9421)
        here.verify(message)
        headers = {name: message.combined(name) or "" for name in ("Signature-Input", "Signature")}

        again = with_headers(
            message,
            {name: value.replace("sig1", "sig2") for name, value in headers.items()}
            | {"Accept": "text/html"},
        )

        with pytest.raises(InvalidSignature) as refused:
            here.verify(again)
        assert refused.value.reason is SignatureFault.REPLAYED

    def test_other_parameters_of_draft_cavage(self) -> None:
        here = receiver()
        message = signed()
        here.verify(message)

        with pytest.raises(InvalidSignature) as refused:
            here.verify(with_headers(message, {"Signature": f'{message.combined("signature")},nonce="2"'}))

        assert refused.value.reason is SignatureFault.REPLAYED

    @both
    def test_it_is_remembered_for_as_long_as_it_could_come_again(self, scheme: Scheme) -> None:
        here = receiver()
        message = signed(scheme=scheme, ago=timedelta(minutes=-4))
        here.verify(message)

        (until,) = here.memory.seen.values()
        here.now = until + timedelta(seconds=1)
        here.memory.seen.clear()

        with pytest.raises(InvalidSignature) as refused:
            here.verify(message)
        assert refused.value.reason is SignatureFault.STALE

    @both
    def test_asking_twice_is_no_replay(self, scheme: Scheme) -> None:
        here = receiver()
        for _ in range(2):
            assert here.verify(signed(GET, scheme=scheme)).actor == ALICE

    def test_the_same_body_at_another_time_is_another_request(self) -> None:
        here = receiver()
        here.verify(signed())
        here.verify(signed(ago=timedelta(seconds=1)))


class TestRotation:
    @both
    def test_a_new_key_under_the_old_name(self, scheme: Scheme) -> None:
        here = receiver()
        here.verify(signed(scheme=scheme))
        new = key_of("rsa", 1)
        here.web.documents[ALICE] = actor(new)
        here.now += timedelta(minutes=10)

        message = signed(key=new, scheme=scheme, ago=timedelta(minutes=-10))
        assert here.verify(message).actor == ALICE

    def test_false_signatures_make_us_ask_once_in_five_minutes(self) -> None:
        here = receiver()
        stranger = SigningKey(key_of().key_id, key_of("rsa", 1).native)
        here.verify(signed())
        here.now += timedelta(minutes=10)

        for _ in range(20):
            with pytest.raises(InvalidSignature):
                here.verify(signed(key=stranger))

        assert len(here.web.asked) == 2

    def test_a_key_that_was_taken_back_is_not_known_for_ever(self) -> None:
        here = receiver()
        here.verify(signed())
        here.web.documents.clear()
        here.now += timedelta(days=1, minutes=1)

        with pytest.raises(InvalidSignature) as refused:
            here.verify(with_headers(signed(ago=timedelta(days=-1)), {}))

        assert refused.value.reason is SignatureFault.KEY_GONE
        assert not here.memory.keys

    def test_a_key_that_cannot_be_had_now(self) -> None:
        here = receiver()
        here.web.failing = RemoteFailed("It is slow.", reason=RemoteFault.TIMEOUT, temporary=True)

        with pytest.raises(SignerUnreachable) as refused:
            here.verify(signed())

        assert refused.value.retry_after
        assert not here.memory.seen

    def test_an_address_that_we_do_not_go_to(self) -> None:
        web = Web({}, failing=RemoteFailed("It is private.", reason=RemoteFault.ADDRESS))

        assert reason_of(signed(), web=web) is SignatureFault.KEY_UNTRUSTED

    @pytest.mark.parametrize("key_id", ["Test", "file:///etc/passwd", "https://a.example/" + "a" * 3000])
    def test_a_key_without_an_address_is_not_asked_for(self, key_id: str) -> None:
        web = Web({})
        message = post()
        message = with_headers(message, sign(message, SigningKey(key_id, key_of().native), now=NOW))

        assert reason_of(message, web=web) is SignatureFault.KEY_UNTRUSTED
        assert not web.asked

    @both
    def test_nobody_is_asked_before_everything_else_holds(self, scheme: Scheme) -> None:
        web = Web({})
        for message in (
            signed(scheme=scheme, ago=timedelta(days=1)),
            replace(signed(scheme=scheme), body=b"other"),
            with_headers(signed(scheme=scheme), {"Host": "other.example"}),
        ):
            reason_of(message, web=web)

        assert not web.asked


def content_digest_512(body: bytes) -> str:
    return f"sha-512=:{b64(hashlib.sha512(body).digest())}:"
