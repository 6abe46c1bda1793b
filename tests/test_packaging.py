"""What is needed to install and deploy agrees with the code and with itself."""

from __future__ import annotations

import hashlib
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from repo_service.settings import Settings
from repo_service.settings_reference import variable_name
from storage.registry import parse_store_url

PROJECT = Path(__file__).resolve().parents[1]
SETTINGS = {variable_name(name) for name in Settings.model_fields}
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")
_GIVEN = {
    "REPO_BASE_URL": "https://resources.example.org",
    "REPO_SECRET_KEY": "a1b2" * 12,
    "POSTGRES_PASSWORD": "c3d4",
    "STORE_ACCESS_KEY": "e5f6",
    "STORE_SECRET_KEY": "a7b8",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(_read("compose.yml"))
    return document


def _read(name: str) -> str:
    return (PROJECT / name).read_text()


def _filled_in(text: str) -> str:
    """``text`` with its variables replaced the way compose does it, given what .env must give."""
    return _VARIABLE.sub(
        lambda found: _GIVEN.get(found["name"], found["rest"] if found["kind"] == "-" else ""), text
    )


def test_the_licence_is_the_text_that_the_fsf_publishes() -> None:
    digest = hashlib.sha256((PROJECT / "LICENSE").read_bytes()).hexdigest()
    assert digest == "0d96a4ff68ad6d4b6f1f30f713b18d5184912ba8dd389f86aa7710db079abcb0"


@pytest.mark.parametrize(
    "name",
    [
        "Dockerfile",
        "compose.yml",
        ".env.example",
        "deploy/Caddyfile",
        "deploy/nginx.conf",
        "deploy/repo.service",
    ],
)
def test_every_variable_is_a_setting(name: str) -> None:
    named = set(re.findall(r"\bREPO_[A-Z_]+\b", _read(name)))
    assert named
    assert named <= SETTINGS


def test_the_app_and_the_worker_share_settings_and_folder(compose: dict[str, Any]) -> None:
    app, worker, migrate = (compose["services"][name] for name in ("app", "worker", "migrate"))
    for other in (worker, migrate):
        assert other["environment"] == app["environment"]
        assert other["volumes"] == app["volumes"]
        assert other["build"] == app["build"]


def test_the_settings_of_compose_are_understood(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in compose["services"]["app"]["environment"].items():
        monkeypatch.setenv(name, _filled_in(value))
    settings = Settings()
    store = parse_store_url(settings.store_url)
    assert (store.scheme, store.options["endpoint_url"]) == ("s3", "http://store:8333")
    assert settings.database_url == "postgresql+psycopg://repo:c3d4@database/repo"
    assert settings.queue_url == "postgresql://repo:c3d4@database/repo"
    assert settings.store_secret_key is not None
    assert settings.store_secret_key.get_secret_value() == "a7b8"
    assert settings.trusted_proxies == 0


def test_the_front_server_is_there_with_its_profile_only(compose: dict[str, Any]) -> None:
    front = compose["services"]["front"]
    assert front["profiles"] == ["tls"]
    mounted = {volume.partition(":")[0] for volume in front["volumes"]}
    assert (PROJECT / "deploy" / "Caddyfile").is_file()
    assert {"./deploy/Caddyfile", "certificates"} <= mounted
    assert "certificates" in compose["volumes"]
    assert "reverse_proxy app:8080" in _read("deploy/Caddyfile")
    assert compose["services"]["app"]["ports"][0].endswith(":8080")


def test_the_stores_credentials_are_those_of_the_app(compose: dict[str, Any]) -> None:
    identities = yaml.safe_load(_filled_in(compose["configs"]["s3"]["content"]))["identities"]
    assert identities[0]["credentials"] == [{"accessKey": "e5f6", "secretKey": "a7b8"}]


def test_compose_has_no_default_password() -> None:
    text = _read("compose.yml")
    for name in _GIVEN:
        uses = [found for found in _VARIABLE.finditer(text) if found["name"] == name]
        assert not [found for found in uses if found["kind"] == "-"]
        assert [found for found in uses if found["kind"] == "?"], f"a missing {name} must stop the start"


def test_the_example_lists_what_compose_asks_for() -> None:
    asked = {found["name"]: found for found in _VARIABLE.finditer(_read("compose.yml"))}
    listed = dict(re.findall(r"^(\w+)=(.*)$", _read(".env.example"), re.MULTILINE))
    may_be_missing = set(re.findall(r"^#(\w+)=.", _read(".env.example"), re.MULTILINE))
    assert set(listed) - {"COMPOSE_PROFILES"} | may_be_missing == set(asked)  # that one compose itself reads
    assert {(asked[name]["kind"], asked[name]["rest"]) for name in may_be_missing} == {("-", "")}
    secret = {name for name, value in listed.items() if not value}
    assert secret == set(_GIVEN) - {"REPO_BASE_URL"}


def test_the_image_gets_every_package_and_nothing_is_kept_from_it() -> None:
    configuration = tomllib.loads(_read("pyproject.toml"))
    packages = {
        name.rstrip("*") for name in configuration["tool"]["setuptools"]["packages"]["find"]["include"]
    }
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", _read("Dockerfile"), re.MULTILINE)
    copied = {name for names in copies for name in names.split()}
    let_through = set(re.findall(r"^!(.+)$", _read(".dockerignore"), re.MULTILINE))
    assert packages <= copied
    assert copied == let_through


def test_every_data_file_is_installed() -> None:
    """Templates, migrations, vocabularies: an editable install finds them anyway, an image only if listed."""
    patterns = tomllib.loads(_read("pyproject.toml"))["tool"]["setuptools"]["package-data"]
    left_out = [
        str(path.relative_to(PROJECT))
        for package in ("storage", "repo_service", "moodle_plugin_bridge", "repo_client")
        for path in (PROJECT / package).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
        if not any(fnmatch(path.name, pattern.removeprefix("**/")) for pattern in patterns.get(package, []))
    ]
    assert not left_out


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_the_constraints_agree_with_the_requirements(name: str) -> None:
    locked = _pins("constraints.txt")
    asked = _pins(name)
    assert asked.items() <= locked.items(), "make lock"


def _pins(name: str) -> dict[str, str]:
    lines = (line.partition("#")[0].strip() for line in _read(name).splitlines())
    requirements = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return {canonicalize_name(one.name): str(one.specifier) for one in requirements}
