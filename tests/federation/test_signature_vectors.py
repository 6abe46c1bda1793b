"""Test vectors of the specifications: draft-cavage-http-signatures-12, appendix C; RFC 9421, appendix B."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from http_message_signatures.algorithms import ED25519, RSA_PSS_SHA512

from repo_service.domain.errors import InvalidSignature, SignatureFault
from repo_service.federation.messages import Message
from repo_service.federation.signatures import PublicKey, UnfitKey, cavage, rfc9421
from repo_service.federation.signatures.digests import (
    check_content_digest,
    check_digest,
    content_digest,
    digest,
)
from tests.federation.peers import with_headers

BODY = b'{"hello": "world"}'

CAVAGE_KEY = """-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDCFENGw33yGihy92pDjZQhl0C3
6rPJj+CvfSC8+q28hxA161QFNUd13wuCTUcq0Qd2qsBe/2hFyc2DCJJg0h1L78+6
Z4UMR7EOcpfdUE9Hf3m/hs+FUR45uBJeDK1HSFHD8bHKD6kv8FPGfJTotc+2xjJw
oYi+1hqp1fIekaxsyQIDAQAB
-----END PUBLIC KEY-----"""
CAVAGE_MESSAGE = Message(
    "POST",
    "https://example.com/foo?param=value&pet=dog",
    (
        ("Host", "example.com"),
        ("Date", "Sun, 05 Jan 2014 21:31:40 GMT"),
        ("Content-Type", "application/json"),
        ("Digest", "SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="),
        ("Content-Length", "18"),
    ),
    BODY,
)

RSA_PSS_KEY = """-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB
-----END PUBLIC KEY-----"""
ED25519_KEY = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----"""
RFC_MESSAGE = Message(
    "POST",
    "https://example.com/foo?param=Value&Pet=dog",
    (
        ("Host", "example.com"),
        ("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("Content-Type", "application/json"),
        (
            "Content-Digest",
            "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
        ),
        ("Content-Length", "18"),
    ),
    BODY,
)
B23_INPUT = (
    'sig-b23=("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" '
    '"content-length")'
    ';created=1618884473;keyid="test-key-rsa-pss"'
)
B23_SIGNATURE = (
    "sig-b23=:bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp7"
    "68ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW9"
    "1kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJy"
    "oEZAFL2FUo5fTIztsDZKEgM4cUA==:"
)


@pytest.mark.parametrize(
    ("covered", "signature"),
    [
        (
            "date",
            (
                "SjWJWbWN7i0wzBvtPl8rbASWz5xQW6mcJmn+ibttBqtifLN7Sazz6m79cNfwwb8DMJ5cou1s7uEGKKCs+FLEEaDV5lp7q25WqS+la"
                "vg7T8hc0GppauB6hbgEKTwblDHYGEtbGmtdHgVCk9SuS13F0hZ8FD0k/5OxEPXe5WozsbM="
            ),
        ),
        (
            "(request-target) host date",
            (
                "qdx+H7PHHDZgy4y/Ahn9Tny9V3GP6YgBPyUXMmoxWtLbHpUnXS2mg2+SbrQDMCJypxBLSPQR2aAjn7ndmw2iicw3HMbe8VfEdKFYR"
                "qzic+efkb3nndiv/x1xSHDJWeSWkx3ButlYSuBskLu6kd9Fswtemr3lgdDEmn04swr2Os0="
            ),
        ),
        (
            # The draft lists (created) and (expires), too; this signature, of earlier drafts, is without.
            "(request-target) host date content-type digest content-length",
            (
                "vSdrb+dS3EceC9bcwHSo4MlyKS59iFIrhgYkz8+oVLEEzmYZZvRs8rgOp+63LEM3v+MFHB32NfpB2bEKBIvB1q52LaEUHFv120V01"
                "IL+TAD48XaERZFukWgHoBTLMhYS2Gb51gWxpeIq8knRmPnYePbF5MOkR0Zkly4zKH7s1dE="
            ),
        ),
    ],
    ids=["C.1", "C.2", "C.3"],
)
def test_the_signing_strings_of_draft_cavage(covered: str, signature: str) -> None:
    key = load_pem_public_key(CAVAGE_KEY.encode())
    assert isinstance(key, RSAPublicKey)

    text = cavage.signing_string(CAVAGE_MESSAGE, tuple(covered.split(" ")), {})

    key.verify(base64.b64decode(signature), text, PKCS1v15(), SHA256())


def test_the_key_of_draft_cavage_is_too_weak_to_be_used() -> None:
    with pytest.raises(UnfitKey, match="2048"):
        PublicKey.from_pem(CAVAGE_KEY)


def test_the_digests_of_both() -> None:
    assert digest(BODY) == CAVAGE_MESSAGE.combined("digest")
    check_digest(CAVAGE_MESSAGE.combined("digest") or "", BODY)
    check_content_digest(RFC_MESSAGE.combined("content-digest") or "", BODY)
    # RFC 9530, appendix B.1: the same content with a line feed.
    assert content_digest(BODY + b"\n") == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"


def test_a_request_with_everything_covered() -> None:
    """RFC 9421, appendix B.2.3: PSS, and no ``alg`` that says so."""
    message = with_headers(RFC_MESSAGE, {"Signature-Input": B23_INPUT, "Signature": B23_SIGNATURE})
    key = PublicKey.from_pem(RSA_PSS_KEY)

    claim = rfc9421.read(message)

    assert claim.key_id == "test-key-rsa-pss"
    assert {moment.isoformat() for moment in claim.signed_at} == {
        "2021-04-20T02:07:53+00:00",
        "2021-04-20T02:07:55+00:00",
    }
    signed = claim.proven(key)
    assert signed is not None
    assert signed.decode().splitlines()[:4] == [
        '"date": Tue, 20 Apr 2021 02:07:55 GMT',
        '"@method": POST',
        '"@path": /foo',
        '"@query": ?param=Value&Pet=dog',
    ]
    changed = replace(message, url=message.url.replace("dog", "cat"))
    assert rfc9421.read(changed).proven(key) is None


@pytest.mark.parametrize(
    ("label", "covered", "signature"),
    [
        (
            "sig-b21",
            '();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"',
            (
                "d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsck"
                "zXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehh"
                "WwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhh"
                "o8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q=="
            ),
        ),
        (
            "sig-b22",
            (
                '("@authority" "content-digest" "@query-param";name="Pet")'
                ';created=1618884473;keyid="test-key-rsa-pss";tag="header-example"'
            ),
            (
                "LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSo"
                "wOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqp"
                "cAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//"
                "0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw=="
            ),
        ),
        (
            "sig-b26",
            (
                '("date" "@method" "@path" "@authority" "content-type" "content-length")'
                ';created=1618884473;keyid="test-key-ed25519"'
            ),
            "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
        ),
    ],
    ids=["B.2.1", "B.2.2", "B.2.6"],
)
def test_signatures_that_are_right_and_not_enough(label: str, covered: str, signature: str) -> None:
    """They are made with their keys, and do not cover what a request does."""
    message = with_headers(
        RFC_MESSAGE, {"Signature-Input": f"{label}={covered}", "Signature": f"{label}=:{signature}:"}
    )
    key_id, pem, algorithm = (
        ("test-key-ed25519", ED25519_KEY, ED25519)
        if "ed25519" in covered
        else ("test-key-rsa-pss", RSA_PSS_KEY, RSA_PSS_SHA512)
    )

    assert rfc9421.signed_base(message, key_id, PublicKey.from_pem(pem), algorithm) is not None
    with pytest.raises(InvalidSignature) as refused:
        rfc9421.read(message)
    assert refused.value.reason is SignatureFault.NOT_COVERED


def test_a_query_that_anybody_can_change() -> None:
    """RFC 9421, appendix B.4: the path is covered, the query is not."""
    covered = '("@method" "@path" "@authority" "accept");created=1618884473;keyid="test-key-ed25519"'
    signature = "ZT1kooQsEHpZ0I1IjCqtQppOmIqlJPeo7DHR3SoMn0s5JZ1eRGS0A+vyYP9t/LXlh5QMFFQ6cpLt2m0pmj3NDA=="
    message = Message(
        "GET",
        "https://example.org/demo?name1=Value1&Name2=value2",
        (
            ("Host", "example.org"),
            ("Accept", "application/json"),
            ("Accept", "*/*"),
            ("Signature-Input", f"transform={covered}"),
            ("Signature", f"transform=:{signature}:"),
        ),
    )
    key = PublicKey.from_pem(ED25519_KEY)

    assert rfc9421.signed_base(message, "test-key-ed25519", key, ED25519) is not None
    with pytest.raises(InvalidSignature) as refused:
        rfc9421.read(message)
    assert refused.value.reason is SignatureFault.NOT_COVERED
    without = replace(message, url="https://example.org/demo")
    assert rfc9421.read(without).proven(key) is not None
