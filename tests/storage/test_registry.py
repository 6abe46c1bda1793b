"""Stores are chosen by URL."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from storage import Capability, CapabilityMissing, Locator, open_store
from storage.registry import parse_store_url

_PROJECT = Path(__file__).resolve().parents[2]


def test_the_scheme_chooses_the_store(tmp_path: Path) -> None:
    assert open_store("memory:").name == "memory"
    assert open_store(tmp_path.as_uri()).name == "file"
    assert open_store("s3://bucket/prefix?region=us-east-1", access_key="a", secret_key="b").name == "s3"


def test_a_path_with_odd_characters_is_taken_as_it_is(tmp_path: Path) -> None:
    odd = tmp_path / "a b é %41 #"
    open_store(odd.as_uri()).check()
    assert (odd / "blobs").is_dir()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/var/lib/repo",
        "ftp://somewhere/",
        "FILE",
        "file:relative",
        "file://elsewhere/var",
        "file:///var/lib/repo?typo=1",
        "memory:?limit=lots",
        "memory:?limit=1&limit=2",
        "memory:#fragment",
        "s3:bucket",
        "s3://",
        "s3://key:secret@bucket",
        "s3://bucket?secret_key=x",
        "s3://bucket?endpoint=http://typo",
        "s3://bucket?addressing_style=odd",
        "s3://bucket?endpoint_url=nonsense",
    ],
)
def test_a_wrong_url_is_a_mistake(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        open_store(url)


def test_secrets_are_not_shown() -> None:
    url = parse_store_url("s3://bucket", "the-key", "the-secret")
    assert "the-" not in repr(url)


def test_the_public_address_decides_what_s3_declares() -> None:
    base = "s3://bucket?region=us-east-1&endpoint_url=http://127.0.0.1:9"
    private = open_store(base, access_key="a", secret_key="b")
    public = open_store(
        f"{base}&public_endpoint_url=https://files.example.org", access_key="a", secret_key="b"
    )
    assert private.capabilities == frozenset()
    assert public.capabilities == {Capability.PRESIGNED_DOWNLOAD, Capability.PRESIGNED_MULTIPART}


def test_asking_for_what_is_not_declared_is_an_error() -> None:
    with pytest.raises(CapabilityMissing):
        open_store("memory:").local_path(Locator("x"))


def test_who_does_not_use_s3_does_not_load_boto3() -> None:
    program = "import sys, storage; storage.open_store('memory:'); sys.exit('boto3' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=_PROJECT)
