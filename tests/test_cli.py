"""The ``repo`` command: what operators type, and what it says when something is not right."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
import pytest
from click.testing import CliRunner, Result

from repo_service.app import create_app, engine_of, services_of
from repo_service.cli import main
from repo_service.domain.identity import Identity
from repo_service.domain.resources import Visibility
from repo_service.domain.search import SearchQuery
from repo_service.settings import Settings
from tests.support.backups import ActivitySpec, backup
from tests.support.mail import Mailbox, path_of
from tests.support.service import OPERATOR, Service
from tests.support.services import free_port
from tests.web.person import sign_up
from tests.web.visitor import Visitor

_SECONDS = 60

Repo = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command keeps everything."""
    for name in list(os.environ):
        if name.startswith("REPO_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("REPO_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("REPO_MIN_FREE_SPACE", "0")
    return tmp_path


@pytest.fixture
def repo(folder: Path) -> Iterator[Repo]:
    """Type a command; it has to succeed unless ``status`` says otherwise."""
    mask = os.umask(0o022)

    def run(*words: object, status: int = 0) -> Result:
        result = CliRunner().invoke(main, [str(word) for word in words])
        assert result.exit_code == status, result.output
        assert "Traceback" not in result.output
        return result

    run("migrate")
    yield run
    os.umask(mask)


@contextmanager
def _service(*, writes_index: bool = True) -> Iterator[Service]:
    """The service on what the command keeps."""
    settings = Settings()
    app = create_app(settings, writes_index=writes_index)
    service = Service(app=app, services=services_of(app), settings=settings)
    try:
        yield service
    finally:
        service.services.close()
        engine_of(app).dispose()


# Where it runs


def test_nothing_is_done_where_there_is_no_repository(
    repo: Repo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the wrong folder, or without the settings of the service, a command would look at an empty one."""
    elsewhere = folder / "elsewhere"
    monkeypatch.setenv("REPO_DATA_DIR", str(elsewhere))
    for words in (["verify"], ["account", "create", "zoe"], ["gc"], ["backup", folder / "file.zip"]):
        assert f"no repository with its data in {elsewhere}" in repo(*words, status=1).output
    assert not elsewhere.exists()
    elsewhere.mkdir()  # that the folder is there makes no repository of it
    assert "no repository" in repo("verify", status=1).output
    repo("migrate")
    assert "as it should be" in repo("verify").output


def test_what_starts_the_servers_processes_does_without_the_service() -> None:
    """It stays for as long as they do."""
    program = (
        "import sys; from repo_service.cli import main; main.get_command(None, 'serve'); "
        "import repo_service.serving; print(sorted({'flask', 'sqlalchemy', 'boto3'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("REPO_PORT", "abc", "REPO_PORT: "), ("REPO_MAX_UPLOAD_SIZE", "5XB", "REPO_MAX_UPLOAD_SIZE: ")],
)
def test_a_wrong_setting_is_named(
    name: str, value: str, says: str, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    for command in ("serve", "migrate", "verify"):
        assert says in repo(command, status=1).output


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8090"),
        ("0.0.0.0", "http://127.0.0.1:8090"),
        ("::1", "http://[::1]:8090"),
    ],
)
def test_the_address_is_the_servers_own_unless_it_is_set(host: str, address: str, tmp_path: Path) -> None:
    assert Settings(data_dir=tmp_path, host=host, port=8090).base_url == address
    assert (
        Settings(data_dir=tmp_path, port=8090, base_url="https://r.example/").base_url == "https://r.example"
    )


# People and tokens


def test_what_is_kept_about_somebody_is_written_out_and_erased(repo: Repo, folder: Path) -> None:
    repo("account", "create", "anna", "--email", "anna@example.org")
    file = folder / "anna.zip"
    assert str(file) in repo("account", "export", "anna", file).output
    assert json.loads(zipfile.ZipFile(file).read("account.json"))[0]["email"] == "anna@example.org"
    assert "is there already" in repo("account", "export", "anna", file, status=1).output
    repo("account", "export", "anna", folder / "small.zip", "--no-files")
    assert "no such account" in repo("account", "export", "nobody", folder / "x.zip", status=1).output
    assert "--shared" in repo("account", "erase", "anna", status=2).output
    repo("account", "erase", "anna", "--shared", "leave", status=1)  # nobody said yes
    assert "anna" in repo("account", "list").output
    assert "anna is erased" in repo("account", "erase", "anna", "--shared", "leave", "--yes").output
    assert repo("account", "list").output == ""
    assert (
        "no such account" in repo("account", "erase", "anna", "--shared", "leave", "--yes", status=1).output
    )


def test_accounts(repo: Repo) -> None:
    """Made, listed, blocked and let in again; a name that is taken or is none is told in one line."""
    assert "anna (moderator) is there" in repo("account", "create", "anna", "--role", "moderator").output
    assert "name already" in repo("account", "create", "anna", status=1).output
    for wrong in ("Anna B", "", "a" * 65):
        assert "Error" in repo("account", "create", wrong, status=1).output
    repo("account", "create", "bea", "--quota", "100", "--language", "de")
    assert (
        "Invalid value for '--language'"
        in repo("account", "create", "cyd", "--language", "tlh", status=2).output
    )
    with _service() as service:
        assert service.services.accounts.find(OPERATOR, "bea").language == "de"
    assert "anna is blocked" in repo("account", "block", "anna").output
    listed = repo("account", "list").output.splitlines()
    assert [line.split()[1:3] for line in listed] == [["anna", "moderator"], ["bea", "member"]]
    assert [line.endswith("blocked") for line in listed] == [True, False]
    repo("account", "block", "anna", "--undo")
    assert "blocked" not in repo("account", "list").output
    assert "no such account" in repo("account", "block", "nobody", status=1).output


def test_links_to_choose_a_password(repo: Repo) -> None:
    """Printed for an account that is new, and again when somebody asks; each works once."""
    made = repo("account", "create", "anna", "--email", "Anna@Example.org").output
    again = repo("account", "reset", "anna").output
    assert "anna@example.org" in repo("account", "list").output
    assert (
        "e-mail address" in repo("account", "create", "bea", "--email", "ANNA@example.org", status=1).output
    )
    with _service() as service:
        visitor = Visitor(service)
        visitor.send(_link_in(made), "/new-password", password="blue heron over marsh")
        assert "(anna)" in visitor.get("/").source
        Visitor(service).get(_link_in(again), 410)
    assert "no such account" in repo("account", "reset", "nobody", status=1).output


def test_letters_are_sent_where_there_is_an_address(
    repo: Repo, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPO_SMTP_URL", mailbox.url)
    monkeypatch.setenv("REPO_MAIL_FROM", "repo@example.org")
    assert "link=" not in repo("account", "create", "anna", "--email", "anna@example.org", "--send").output
    repo("account", "reset", "anna", "--send")
    assert "link=" not in repo("account", "invite", "--email", "bea@example.org", "--send").output
    with _service() as service:
        service.work()
    assert [str(letter["To"]) for letter in mailbox.letters] == ["anna@example.org"] * 2 + ["bea@example.org"]
    for words in (["create", "cyd"], ["invite"]):
        assert "--send needs --email" in repo("account", *words, "--send", status=2).output
    repo("account", "create", "dan")
    assert "no e-mail address" in repo("account", "reset", "dan", "--send", status=1).output


def test_invitations(repo: Repo) -> None:
    link = _link_in(repo("account", "invite", "--role", "moderator").output)
    with _service() as service:
        visitor = Visitor(service)
        assert sign_up(visitor, "bea", on=link).status_code == 303
        assert service.services.accounts.find(OPERATOR, "bea").role == "moderator"
    assert "no e-mail address" in repo("account", "invite", "--email", "x", status=1).output


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REPO_SMTP_URL", "http://user:secret@host"),
        ("REPO_SMTP_URL", "smtp://user:secret@host"),
        ("REPO_MAIL_FROM", "nobody"),
        ("REPO_REGISTRATION", "maybe"),
    ],
)
def test_wrong_settings_of_mail_are_told_without_the_password(
    name: str, value: str, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    told = repo("migrate", status=1).output
    assert name in told
    assert "secret" not in told


def _link_in(output: str) -> str:
    found = re.search(r"http\S+\?link=\S+", output)
    assert found is not None, output
    return path_of(found[0])


def test_tokens(repo: Repo) -> None:
    """The secret alone is printed, so that a script can take it; revoked it is worth nothing."""
    repo("account", "create", "anna")
    secret = repo("token", "create", "anna").output.strip()
    with _service() as service:
        identity = service.services.accounts.authenticate(secret)
        assert {scope.value for scope in identity.scopes} == {"resources:read", "resources:write"}
        assert service.client(secret).get("/api/v1/me").status_code == 200
    assert "revoked" in repo("token", "revoke", identity.token_id).output
    with _service() as service:
        assert service.client(secret).get("/api/v1/me").status_code == 401
    assert "role does not have" in repo("token", "create", "anna", "--scope", "moderation", status=1).output
    assert "no such account" in repo("token", "create", "nobody", status=1).output
    few = repo("token", "create", "anna", "--scope", "resources:read", "--days", "3").output.strip()
    with _service() as service:
        found = service.services.accounts.authenticate(few)
        assert [scope.value for scope in found.scopes] == ["resources:read"]
        assert found.expires_at is not None
    repo("token", "revoke", "not-an-id", status=2)


def test_clients(repo: Repo) -> None:
    """Added, listed, approved, declined, disabled; the secret is printed once."""
    repo("migrate")
    uri = "https://school.example/admin/oauth2callback.php"
    added = repo("clients", "add", uri, "--name", "School", "--scope", "resources:read")
    (client_id,) = re.findall(r"client id +(\S+)", added.stdout)
    (secret,) = re.findall(r"client secret +(mrc_\S+)", added.stdout)
    listed = repo("clients", "list").stdout
    assert f"{client_id}  approved  {uri}  'School'" in listed
    assert secret not in listed
    for command, state in (("decline", "declined"), ("approve", "approved"), ("disable", "disabled")):
        assert f"{uri} is {state}." in repo("clients", command, client_id).stdout
        assert client_id in repo("clients", "list", "--state", state).stdout
        assert client_id not in repo("clients", "list", "--state", "pending").stdout
    public = repo("clients", "add", "http://127.0.0.1:4711/", "--public")
    assert "client secret" not in public.stdout
    assert "https address" in repo("clients", "add", "javascript:alert(1)", status=1).output
    unknown = "00000000-0000-7000-8000-000000000000"
    assert "no such site" in repo("clients", "approve", unknown, status=1).output


# Looking after what is kept


def _import(folder: Path) -> Path:
    files = folder / "courses"
    (files / "deeper").mkdir(parents=True)
    backup(files / "ecology.mbz", activities=[ActivitySpec(title="Photosynthesis", module="quiz")])
    (files / "deeper" / "notes.txt").write_text("Rivers and lakes.")
    (files / ".hidden").write_text("not this")
    return files


def test_a_folder_is_imported_once(repo: Repo, folder: Path) -> None:
    """A second import finds everything there; what is new comes in; hidden files stay out."""
    files = _import(folder)
    repo("account", "create", "anna")
    said = ["import", files, "--owner", "anna", "--licence", "CC-BY-4.0", "--release"]
    assert "2 of 2 files are new" in repo(*said).output
    assert "0 of 2 files are new" in repo(*said).output
    (files / "more.txt").write_text("More.")
    assert "1 of 3 files are new" in repo(*said).output
    with _service() as service:
        service.work()
        found = service.services.search.search(Identity(), SearchQuery(text="photosynthesis"))
        assert [hit.resource.visibility for hit in found.items] == [Visibility.PUBLIC]
        account = service.services.accounts.find(OPERATOR, "anna")
        assert account.used == sum(
            path.stat().st_size for path in files.rglob("*") if path.is_file() and path.name != ".hidden"
        )


def test_an_import_that_cannot_be(repo: Repo, folder: Path) -> None:
    """Each told in one line; room that was reserved is given back."""
    files = _import(folder)
    repo("account", "create", "anna", "--quota", "30")
    assert "no such account" in repo("import", files, "--owner", "nobody", status=1).output
    assert "needs --licence" in repo("import", files, "--owner", "anna", "--release", status=2).output
    repo("import", folder / "nowhere", status=2)
    wrong = repo("import", files / "deeper", "--owner", "anna", "--licence", "nonsense", status=1)
    assert "licence" in wrong.output
    with _service() as service:
        assert service.services.accounts.find(OPERATOR, "anna").used == 0
    assert "not enough room" in repo("import", files, "--owner", "anna", status=1).output


def test_verify_and_gc_and_reindex(repo: Repo, folder: Path) -> None:
    """Exit status 1 with what is not as it should be; the rest says what it did."""
    repo("account", "create", "anna")
    repo("import", _import(folder), "--owner", "anna", "--licence", "CC0-1.0", "--release")
    assert "as it should be" in repo("verify").output
    with _service() as service:
        service.work()
    assert "2 resources are indexed" in repo("reindex").output
    blobs = [path for path in (folder / "var" / "store" / "blobs").rglob("*") if path.is_file()]
    damaged = next(path for path in blobs if path.suffix != ".json")
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    told = repo("verify", status=1)
    assert f"corrupt: {damaged.name}" in told.output
    damaged.unlink()
    assert f"missing: {damaged.name}" in repo("verify", status=1).output
    damaged.write_bytes(content)
    assert "as it should be" in repo("verify", "--sample", "1").output
    repo("verify")
    assert "blobs: 0" in repo("gc").output
    (folder / "var" / "store" / "blobs" / "stray").mkdir()
    assert "strays: 0" in repo("gc", "--grace", "0").output


def test_migrating_is_repeatable(repo: Repo) -> None:
    """Every command does it anyway."""
    for _ in range(2):
        assert "up to date" in repo("migrate").output


def test_a_store_that_cannot_be_used_is_told_in_one_line(
    repo: Repo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no trace of Python."""
    (folder / "file").write_text("no folder")
    monkeypatch.setenv("REPO_STORE_URL", (folder / "file").as_uri())
    assert "The store says" in repo("verify", status=1).output


# Looking into files


def test_inspect_for_people_and_for_software(
    repo: Repo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without server and database: nothing is made in the data folder."""
    monkeypatch.setenv("REPO_DATA_DIR", str(folder / "none"))
    path = backup(folder / "c.mbz", activities=[ActivitySpec(title="Food webs", module="quiz")], users=2)
    document = json.loads(repo("inspect", path, "--json").output)
    assert (document["kind"], document["fullname"], document["users"]) == (
        "course",
        "Introduction to Ecology",
        2,
    )
    told = repo("inspect", path).output
    assert "quiz: Food webs" in told
    assert "! " in told, "what stands against a release is marked"
    assert not (folder / "none").exists()


def test_inspect_says_why_a_file_cannot_be_read(repo: Repo, folder: Path) -> None:
    """On standard output as JSON, with exit status 1."""
    path = folder / "broken.mbz"
    path.write_bytes(backup(folder / "c.mbz").read_bytes()[:300])
    assert "Error" in repo("inspect", path, status=1).output
    told = repo("inspect", path, "--json", status=1)
    problem = json.loads(told.stdout)["problem"]
    assert problem["reason"]
    assert problem["detail"]
    repo("inspect", folder / "nowhere.mbz", status=2)


# Losing the machine


def test_a_new_machine_is_filled_from_a_backup(
    repo: Repo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, settings and the signing key come back; what was found is found again, old tokens work."""
    monkeypatch.setenv("REPO_SITE_NAME", "Ours")
    monkeypatch.setenv("REPO_GC_GRACE", "P3D")
    repo("account", "create", "anna")
    secret = repo("token", "create", "anna").output.strip()
    repo("import", _import(folder), "--owner", "anna", "--licence", "CC-BY-4.0", "--release")
    with _service() as service:
        service.work()
        found = service.services.search.search(Identity(), SearchQuery(text="photosynthesis")).total
        assert found
    file = folder / "catalogue.zip"
    assert "Keep it secret" in repo("backup", file).output
    assert file.stat().st_mode & 0o777 == 0o600
    assert "there already" in repo("backup", file, status=1).output
    with zipfile.ZipFile(file) as archive:
        settings = archive.read("settings.env").decode().splitlines()
        key = archive.read("secret_key").decode()
    assert {"REPO_SITE_NAME=Ours", "REPO_GC_GRACE=P3D"} <= set(settings)

    monkeypatch.setenv("REPO_STORE_URL", Settings().store_url)  # it survived
    monkeypatch.setenv("REPO_DATA_DIR", str(folder / "new"))
    assert "resources can be found" in repo("restore", file).output
    assert Settings().signing_key() == key
    with _service() as service:
        assert service.client(secret).get("/api/v1/me").status_code == 200
        assert service.services.search.search(Identity(), SearchQuery(text="photosynthesis")).total == found
    assert "as it should be" in repo("verify").output
    assert "not empty" in repo("restore", file, status=1).output


@pytest.mark.parametrize(
    "value",
    [
        "s3://b?endpoint_url=http://h&name=x file:///y?name=z",
        *("Schule & Co.", "#1; 'a' \"b\"", "$HOME `id` $(id) \\ \\n !", "~", "Köln", "two\nlines", "100%"),
    ],
)
def test_a_shell_reads_the_settings_of_a_backup(
    repo: Repo, folder: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("REPO_SITE_NAME", value)
    repo("backup", folder / "catalogue.zip")
    with zipfile.ZipFile(folder / "catalogue.zip") as archive:
        archive.extract("settings.env", folder)
    script = (
        'set -eua; REPO_SITE_NAME=; . "$1"; exec "$2" -c "import os; print(os.environ[\'REPO_SITE_NAME\'])"'
    )
    done = subprocess.run(
        ["sh", "-c", script, "sh", folder / "settings.env", sys.executable],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == value + "\n"
    assert done.stderr == ""


def test_a_damaged_backup_leaves_nothing_behind(
    repo: Repo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a database nor a key, whichever byte it is."""
    repo("account", "create", "anna")
    file = folder / "catalogue.zip"
    repo("backup", file)
    whole = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        header = archive.getinfo("tables/accounts.ndjson").header_offset
    name, extra = struct.unpack_from("<HH", whole, header + 26)
    content = header + 30 + name + extra
    monkeypatch.setenv("REPO_DATA_DIR", str(folder / "new"))
    for offset in range(content, content + 40):
        file.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0x55]) + whole[offset + 1 :])
        assert "is damaged" in repo("restore", file, status=1).output
    assert not (folder / "new").exists()
    file.write_bytes(whole)
    repo("restore", file)


def test_what_is_no_backup_restores_nothing(
    repo: Repo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo("account", "create", "anna")
    file = folder / "catalogue.zip"
    repo("backup", file)
    whole = file.read_bytes()
    monkeypatch.setenv("REPO_DATA_DIR", str(folder / "new"))
    file.write_bytes(whole[:-40])
    assert "is no backup" in repo("restore", file, status=1).output
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            revision = json.loads(old.read("manifest.json"))["revision"]
            new.writestr(name, old.read(name).replace(revision.encode(), b"9999"))
    assert "does not know" in repo("restore", file, status=1).output


def test_another_signing_key_is_not_overwritten(
    repo: Repo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo("account", "create", "anna")
    file = folder / "catalogue.zip"
    repo("backup", file)
    monkeypatch.setenv("REPO_DATA_DIR", str(folder / "new"))
    other = Settings().signing_key()
    assert "another signing key" in repo("restore", file, status=1).output
    assert Settings().signing_key() == other


# Running


@contextmanager
def _running(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    port = free_port()
    variables = {"REPO_PORT": str(port), "REPO_BASE_URL": f"http://127.0.0.1:{port}", "REPO_WEB_WORKERS": "1"}
    with (folder / "out").open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "repo_service", "run"],
            env={**os.environ, **variables},
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        _until(lambda: _answers(port), f"repo run does not answer:\n{(folder / 'out').read_text()}")
        yield process, port
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(_SECONDS)


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _until(check: Callable[[], object], otherwise: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while not check():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.1)


def _worker(parent: psutil.Process) -> psutil.Process | None:
    for child in parent.children():
        if "worker" in child.cmdline():
            return child
    return None


def test_a_killed_worker_is_started_again_and_does_what_was_left(folder: Path, repo: Repo) -> None:
    """While it is away uploads are taken as always; Ctrl-C stops everything within seconds."""
    repo("account", "create", "anna")
    secret = repo("token", "create", "anna").output.strip()
    with _running(folder) as (process, port):
        parent = psutil.Process(process.pid)
        _until(lambda: _worker(parent), "there is no worker")
        first = _worker(parent)
        assert first is not None
        first.kill()
        boundary = "x"
        body = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n'
            '{"licence": "CC-BY-4.0", "release": true}\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
            f"Rivers.\r\n--{boundary}--\r\n"
        ).encode()
        headers = {
            "Authorization": f"Bearer {secret}",
            "Content-Type": f"multipart/form-data; boundary={boundary}",
        }
        url = f"http://127.0.0.1:{port}/api/v1/resources"
        with urlopen(Request(url, data=body, headers=headers), timeout=20) as answer:
            resource = json.loads(answer.read())

        def released() -> bool:
            asked = Request(resource["api_url"], headers={"Authorization": f"Bearer {secret}"})
            with urlopen(asked, timeout=20) as answer:
                return bool(json.loads(answer.read())["visibility"] == "public")

        _until(released, f"the job was never done:\n{(folder / 'out').read_text()}")
        second = _worker(parent)
        assert second is not None
        assert second.pid != first.pid
        everybody = [parent, *parent.children(recursive=True)]
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(_SECONDS) == 0
        assert time.monotonic() - started < 20
        assert not [p for p in everybody if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
