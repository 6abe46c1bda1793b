"""Whose key it is: what key and actor have to say of each other."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from repo_service.domain.errors import InvalidSignature, SignatureFault
from repo_service.federation.signatures import ActorKey, PublicKey, SigningKey, UnfitKey, find_key
from tests.federation.peers import ALICE, NOW, Web, actor, key_of

KEY = f"{ALICE}#main-key"
APART = f"{ALICE}/main-key"
"""A key with a document of its own, as GoToSocial has them."""
BOB = "https://peer.example/users/bob"
MALLORY = "https://evil.example/users/mallory"


def found(documents: dict[str, object], key_id: str = KEY, **web: Any) -> ActorKey:
    return find_key(key_id, Web(documents, **web), now=NOW)


def fault(documents: dict[str, object], key_id: str = KEY, **web: Any) -> SignatureFault:
    with pytest.raises(InvalidSignature) as refused:
        found(documents, key_id, **web)
    return refused.value.reason


def apart(owner: str = ALICE, key_id: str = APART, **other: object) -> dict[str, object]:
    return {"id": key_id, "owner": owner, "publicKeyPem": key_of().public.pem, **other}


def holding(document_id: str, key_id: str, owner: object = ALICE) -> dict[str, object]:
    """A document with a key in it that says whose it is."""
    return {
        "id": document_id,
        "publicKey": {"id": key_id, "owner": owner, "publicKeyPem": key_of().public.pem},
    }


def named(*keys: object, **other: object) -> dict[str, object]:
    return {"id": ALICE, "type": "Person", "publicKey": list(keys), **other}


class TestWhatIsTrusted:
    def test_a_key_in_its_actor(self) -> None:
        key = found({ALICE: actor(key_of())})

        assert (key.actor, key.public.pem, key.fetched_at) == (ALICE, key_of().public.pem, NOW)

    def test_a_multikey_in_its_actor(self) -> None:
        assert found({ALICE: actor(key_of("ed25519"))}).public == key_of("ed25519").public

    def test_the_right_one_of_several(self) -> None:
        other = {"id": f"{ALICE}#old", "owner": ALICE, "publicKeyPem": key_of("rsa", 1).public.pem}
        mine = {"id": KEY, "owner": ALICE, "publicKeyPem": key_of().public.pem}

        assert found({ALICE: named(other, mine)}).public == key_of().public

    @pytest.mark.parametrize("listed", [APART, apart()], ids=["by address", "whole"])
    def test_a_document_of_its_own(self, listed: object) -> None:
        assert found({APART: apart(), ALICE: named(listed)}, APART).actor == ALICE

    def test_a_document_of_its_own_for_a_key_that_the_actor_has_whole(self) -> None:
        assert found({APART: apart(), ALICE: actor(SigningKey(APART, key_of().native))}, APART).actor == ALICE

    def test_a_shortened_actor_at_the_address_of_its_key(self) -> None:
        """As GoToSocial does it."""
        key = SigningKey(APART, key_of().native)

        assert found({APART: actor(key), ALICE: actor(key)}, APART).actor == ALICE

    def test_a_redirect_within_the_host(self) -> None:
        assert found({ALICE: actor(key_of())}, leads_to={ALICE: "https://peer.example/@alice"}).actor == ALICE


class TestWhatIsNot:
    def test_nothing_there(self) -> None:
        assert fault({}) is SignatureFault.KEY_GONE
        assert fault({APART: apart()}, APART) is SignatureFault.KEY_GONE

    @pytest.mark.parametrize("document", [[], "key", None, {}, {"id": ALICE}, {"id": BOB, "publicKey": []}])
    def test_something_else_there(self, document: object) -> None:
        assert fault({ALICE: document}) is SignatureFault.KEY_UNTRUSTED

    def test_a_key_of_another_name(self) -> None:
        assert (
            fault({ALICE: actor(SigningKey(f"{ALICE}#other", key_of().native))})
            is SignatureFault.KEY_UNTRUSTED
        )

    def test_an_owner_who_does_not_name_it(self) -> None:
        documents: dict[str, object] = {APART: apart(), ALICE: named()}

        assert fault(documents, APART) is SignatureFault.KEY_UNTRUSTED

    def test_a_stranger_who_says_that_it_is_hers(self) -> None:
        """The attack: my key, on my host, owned by Alice."""
        mine = f"{MALLORY}#main-key"
        document = {
            "id": MALLORY,
            "publicKey": {"id": mine, "owner": ALICE, "publicKeyPem": key_of().public.pem},
        }

        assert (
            fault({MALLORY: document, ALICE: actor(key_of("rsa", 1))}, mine) is SignatureFault.KEY_UNTRUSTED
        )
        assert fault({MALLORY: document, ALICE: named(mine)}, mine) is SignatureFault.KEY_UNTRUSTED

    def test_another_on_the_same_host_who_says_that_it_is_hers(self) -> None:
        mine = f"{BOB}#main-key"

        assert (
            fault({BOB: holding(BOB, mine), ALICE: actor(key_of("rsa", 1))}, mine)
            is SignatureFault.KEY_UNTRUSTED
        )

    def test_a_document_that_calls_itself_another(self) -> None:
        """What Mallory put up on Alice's host, such as a file that she shares."""
        upload = "https://peer.example/files/1"
        document = {
            "id": ALICE,
            "publicKey": {"id": f"{upload}#k", "owner": ALICE, "publicKeyPem": key_of().public.pem},
        }

        assert (
            fault({upload: document, ALICE: actor(key_of())}, f"{upload}#k") is SignatureFault.KEY_UNTRUSTED
        )

    def test_the_same_name_with_another_key(self) -> None:
        listed = {"id": APART, "owner": ALICE, "publicKeyPem": key_of("rsa", 1).public.pem}

        assert fault({APART: apart(), ALICE: named(listed)}, APART) is SignatureFault.KEY_UNTRUSTED

    def test_an_actor_who_names_it_as_that_of_another(self) -> None:
        listed = apart(owner=BOB)

        assert fault({APART: apart(), ALICE: named(listed)}, APART) is SignatureFault.KEY_UNTRUSTED

    def test_an_owner_who_calls_itself_another(self) -> None:
        bob = {"id": BOB, "publicKey": APART}

        assert fault({APART: apart(), ALICE: bob}, APART) is SignatureFault.KEY_UNTRUSTED

    def test_a_redirect_to_another_host(self) -> None:
        """An open redirect on Alice's host is no way to speak for her."""
        documents: dict[str, object] = {ALICE: actor(key_of())}

        assert fault(documents, leads_to={ALICE: MALLORY}) is SignatureFault.KEY_UNTRUSTED
        assert fault(documents, leads_to={ALICE: "http://[broken"}) is SignatureFault.KEY_UNTRUSTED

    @pytest.mark.parametrize("owner", [None, 3, [ALICE], "", "http://peer.example/users/alice", "https://[x"])
    def test_an_owner_that_is_none(self, owner: object) -> None:
        document = {
            "id": ALICE,
            "publicKey": {"id": KEY, "owner": owner, "publicKeyPem": key_of().public.pem},
        }

        assert fault({ALICE: document}) is SignatureFault.KEY_UNTRUSTED

    def test_a_key_that_says_nothing(self) -> None:
        assert fault({ALICE: named({"id": KEY, "owner": ALICE})}) is SignatureFault.KEY_UNTRUSTED


class TestWhichKeysAreFit:
    @pytest.mark.parametrize(
        "native",
        [
            generate_private_key(65537, 1024),
            RSAPublicNumbers(65537, (1 << 8200) | 1),  # takes long to check with
            generate_ec(SECP256R1()),
        ],
        ids=["rsa 1024", "rsa 8201", "p-256"],
    )
    def test_weak_ones_heavy_ones_and_other_kinds(self, native: Any) -> None:
        pem = native.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        document = named({"id": KEY, "owner": ALICE, "publicKeyPem": pem})

        assert fault({ALICE: document}) is SignatureFault.KEY_UNFIT

    @pytest.mark.parametrize(
        "pem", ["", "é", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "A" * 9000]
    )
    def test_no_keys(self, pem: str) -> None:
        with pytest.raises(UnfitKey):
            PublicKey.from_pem(pem)
        with pytest.raises(UnfitKey):
            SigningKey.from_pem(KEY, pem)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "z",
            "z0OIl",
            "m7QG",
            "zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme",
            "z" + "1" * 5000,
            "zé",
        ],
    )
    def test_no_multikeys(self, text: str) -> None:
        with pytest.raises(UnfitKey):
            PublicKey.from_multibase(text)

    def test_both_ways_to_write_a_key(self) -> None:
        for kind in ("rsa", "ed25519"):
            key = key_of(kind)
            assert (
                PublicKey.from_multibase(key.public.multibase)
                == PublicKey.from_pem(key.public.pem)
                == key.public
            )
            assert SigningKey.from_pem(key.key_id, key.pem).public == key.public
            assert key.pem not in repr(key)

    def test_the_example_of_the_specification(self) -> None:
        """As Controlled Identifiers 1.0, section 2.2.2, writes one."""
        text = "z6MkmM42vxfqZQsv4ehtTjFFxQ4sQKS2w6WR7emozFAn5cxu"

        assert PublicKey.from_multibase(text).multibase == text
