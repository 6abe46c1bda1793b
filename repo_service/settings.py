"""Every setting of the service, read from the environment once. Nothing else reads the environment."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import ByteSize, Field, HttpUrl, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from repo_service.services.mailing import parse_sender, parse_smtp_url

MEBIBYTE = 1024 * 1024
GIBIBYTE = 1024 * MEBIBYTE
SECRET_KEY_LENGTH = 32


class Settings(BaseSettings):
    """Read from ``REPO_…`` environment variables; the defaults run everything on one machine.

    Sizes take units (``2GiB``), durations ISO 8601 (``P7D``) or seconds.
    """

    model_config = SettingsConfigDict(env_prefix="REPO_", extra="ignore", frozen=True)

    data_dir: Path = Field(
        default=Path("var"), description="Folder of everything that the embedded defaults keep."
    )
    base_url: str = Field(
        default="",
        description="Address under which people and Moodles reach the service; empty: the server's own.",
    )
    site_name: str = Field(default="Moodle resources repository", description="Name shown on every page.")

    host: str = Field(default="127.0.0.1", description="Address the web server listens on.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port the web server listens on.")
    web_workers: int = Field(default=2, ge=1, description="Web processes.")
    web_threads: int = Field(default=8, ge=1, description="Requests that one web process answers at a time.")
    job_threads: int = Field(default=2, ge=1, description="Jobs that one worker runs at a time.")
    trusted_proxies: int = Field(
        default=0,
        ge=0,
        description="How many front servers set X-Forwarded-For, -Proto and -Host; 0 trusts none.",
    )
    accel_redirect: str = Field(
        default="",
        description="Internal location of the front server over the file store's root, such as /_blobs; "
        "downloads are then answered by X-Accel-Redirect.",
    )

    database_url: str = Field(
        default="",
        description="SQLAlchemy URL, sqlite or postgresql+psycopg; empty: SQLite in the data folder.",
    )
    store_url: str = Field(
        default="",
        description="Where blobs are kept: file:///path, s3://bucket?endpoint_url=…&public_endpoint_url=… or "
        "ipfs+http://127.0.0.1:5001?private=true; empty: the data folder. See [IPFS](ipfs.md).",
    )
    store_access_key: SecretStr | None = Field(default=None, description="Access key of the S3 stores.")
    store_secret_key: SecretStr | None = Field(default=None, description="Secret key of the S3 stores.")
    replica_urls: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Stores that get a copy of what is kept, their URLs separated by white space or commas. "
        "Each needs a name of its own: `?name=…`; see [replicas](replicas.md).",
    )
    search_url: str = Field(default="", description="Search index: tantivy:///path; empty: the data folder.")
    queue_url: str = Field(
        default="",
        description="Job hints: sqlite:///path, redis://… or postgresql://…; empty: the data folder.",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        description="Signs sessions and download links; empty: made once and kept in the data folder. "
        "All processes of one service need the same.",
    )

    registration: str = Field(
        default="invite",
        pattern="^(open|invite|closed)$",
        description="Who may make an account: everybody, whom an administrator invites, or nobody but "
        "administrators. See [accounts](accounts.md).",
    )
    oidc_issuer: str = Field(
        default="",
        description="OpenID Connect provider that people can sign in with, too: its issuer, https://…; "
        "empty: none. See [accounts](accounts.md#signing-in-with-a-provider).",
    )
    oidc_client_id: str = Field(default="", description="What the provider calls this service.")
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="By which the provider knows it; empty: it has no secret, and PKCE is all."
    )
    oidc_name: str = Field(
        default="", description="What people call the provider: “Sign in with …”; empty: its host."
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="Mail server: smtp://user:password@host:587 (STARTTLS) or smtps://…, percent-encoded; "
        "empty: letters are written to the log of the worker. See [mail](accounts.md#mail).",
    )
    mail_from: str = Field(
        default="",
        description="Sender of letters: an address, or Name <address>. Needed with a mail server.",
    )

    max_upload_size: ByteSize = Field(default=ByteSize(4 * GIBIBYTE), description="Largest file taken.")
    quota: ByteSize = Field(
        default=ByteSize(20 * GIBIBYTE),
        description="What one account may keep, where the account says nothing else.",
    )
    min_free_space: ByteSize = Field(
        default=ByteSize(256 * MEBIBYTE), description="Room in the store that uploads must leave free."
    )
    upload_ttl: timedelta = Field(
        default=timedelta(days=1), description="An upload that is not used by then is swept."
    )
    gc_grace: timedelta = Field(
        default=timedelta(days=7),
        description="How long withdrawn and orphaned blobs are kept before deletion.",
    )
    catalogue_every: timedelta = Field(
        default=timedelta(days=1),
        ge=timedelta(0),
        description="How often a [snapshot of the public catalogue](catalogue.md) is published, when there "
        "is something new; `PT0S` or empty: never.",
    )
    catalogue_keep: int = Field(
        default=7, ge=1, description="How many snapshots of the catalogue are kept: the newest ones."
    )
    read_only: bool = Field(
        default=False,
        description="This is a [mirror](catalogue.md#a-mirror): whatever would change something is refused.",
    )
    link_ttl: timedelta = Field(
        default=timedelta(minutes=15), description="How long a signed download link of a draft works."
    )
    client_approval: str = Field(
        default="none",
        pattern="^(none|administrator)$",
        description="Whether an administrator has to approve each [site](oauth.md) that registers itself, "
        "before people can connect it.",
    )
    client_registrations: int = Field(
        default=50,
        ge=0,
        description="Sites that may register themselves from one address in a day; 0: none do, and "
        "administrators add them.",
    )
    client_unused_ttl: timedelta = Field(
        default=timedelta(days=30),
        description="A site that registered itself and that nobody ever connected is forgotten after that.",
    )
    insecure_redirects: str = Field(
        default="private",
        pattern="^(never|private|always)$",
        description="Which sites may be reached by plain http when they are connected, besides this very "
        "machine: those in private networks, or all. See [OAuth](oauth.md#sites-without-https).",
    )
    access_token_ttl: timedelta = Field(
        default=timedelta(minutes=10),
        ge=timedelta(minutes=1),
        description="How long a connected site can use one access token. A Moodle keeps one that was revoked "
        "until then.",
    )
    refresh_token_ttl: timedelta = Field(
        default=timedelta(days=60),
        ge=timedelta(hours=1),
        description="How long a connected site may stay away before it has to ask its user again.",
    )
    send_limit: ByteSize = Field(
        default=ByteSize(100 * MEBIBYTE),
        gt=0,
        description="Above this size “Send to my Moodle” offers the download first: Moodle takes 30 seconds "
        "for all of it, in which 28 Mbit/s bring so much. See [Moodle](moodle.md#how-large).",
    )
    job_attempts: int = Field(default=5, ge=1, description="How often a failing job is tried.")
    job_lease: timedelta = Field(
        default=timedelta(minutes=3),
        description="A running job that shows no sign of life for so long is tried again.",
    )
    max_inflated_size: ByteSize = Field(
        default=ByteSize(64 * GIBIBYTE), description="Most bytes that inspection inflates from one archive."
    )

    network_home: str = Field(
        default="",
        pattern="^(https?://.*)?$",
        description="For a mirror: the address of the service whose index of the network this one "
        "[follows](federation.md#a-mirror-of-the-index).",
    )
    federation_loopback: bool = Field(
        default=False,
        description="For tests only: other servers may be on this very machine, by any port and plain http. "
        "Never on a service that others reach.",
    )

    log_level: str = Field(
        default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least level logged."
    )
    log_format: str = Field(
        default="json", pattern="^(json|console)$", description="json for machines, console for people."
    )

    @model_validator(mode="after")
    def _embedded_defaults(self) -> Self:
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared, not bound
        host = f"[{host}]" if ":" in host else host
        object.__setattr__(self, "base_url", self.base_url or f"http://{host}:{self.port}")
        HttpUrl(self.base_url)
        folder = self.data_dir.absolute()
        for name, value in {
            "data_dir": folder,
            "base_url": self.base_url.rstrip("/"),
            "network_home": self.network_home.rstrip("/"),
            "database_url": self.database_url or f"sqlite:///{folder / 'repo.db'}",
            "store_url": self.store_url or (folder / "store").as_uri(),
            "search_url": self.search_url or f"tantivy://{folder / 'index'}",
            "queue_url": self.queue_url or f"sqlite:///{folder / 'queue.db'}",
        }.items():
            object.__setattr__(self, name, value)
        return self

    @model_validator(mode="after")
    def _mail(self) -> Self:
        if self.smtp_url is not None and self.smtp_url.get_secret_value() and not self.mail_from:
            raise ValueError(
                "REPO_SMTP_URL needs REPO_MAIL_FROM beside it: the address that letters come from"
            )
        return self

    @model_validator(mode="after")
    def _network_home(self) -> Self:
        if self.network_home and not self.read_only:
            raise ValueError(
                "REPO_NETWORK_HOME needs REPO_READ_ONLY beside it: what servers send here would be lost in "
                "what comes from there"
            )
        return self

    @model_validator(mode="after")
    def _oidc(self) -> Self:
        if not self.oidc_issuer:
            return self
        if not self.oidc_client_id:
            raise ValueError("REPO_OIDC_ISSUER needs REPO_OIDC_CLIENT_ID beside it: ask the provider for one")
        issuer = urlsplit(self.oidc_issuer)
        here = issuer.hostname in ("localhost", "127.0.0.1", "::1")
        if not issuer.netloc or issuer.query or issuer.fragment or issuer.username is not None:
            raise ValueError("REPO_OIDC_ISSUER is an address without a question mark, a hash or a password")
        if issuer.scheme != "https" and not (issuer.scheme == "http" and here):
            raise ValueError("REPO_OIDC_ISSUER begins with https://, or the provider is on this very machine")
        return self

    def signing_key(self) -> str:
        """The secret key, made and kept in the data folder when none is set."""
        if self.secret_key is not None and self.secret_key.get_secret_value():
            return self.secret_key.get_secret_value()
        path = self.data_dir / "secret_key"
        if not path.exists():
            self.data_dir.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self.data_dir, prefix="secret_key.") as made:
                made.write(secrets.token_urlsafe(SECRET_KEY_LENGTH))
                made.flush()
                os.fsync(made.fileno())
                # Whole or not at all, and the first of several processes wins.
                with contextlib.suppress(FileExistsError):
                    os.link(made.name, path)
        key = path.read_text()
        if len(key) < SECRET_KEY_LENGTH:
            raise ValueError(f"{path} is damaged: remove it, and a new key is made")
        return key

    def given(self) -> dict[str, str]:
        """The environment variables that were set, secrets included, as they were understood."""
        values = self.model_dump(include=self.model_fields_set, mode="json")
        for name in values:
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                values[name] = value.get_secret_value()
            elif isinstance(value, tuple):
                values[name] = " ".join(value)
        prefix = self.model_config["env_prefix"]
        return {f"{prefix}{name}".upper(): str(value) for name, value in values.items() if value is not None}

    @field_validator("catalogue_every", mode="before")
    @classmethod
    def _never(cls, every: object) -> object:
        return timedelta(0) if every == "" else every

    @field_validator("replica_urls", mode="before")
    @classmethod
    def _separated(cls, urls: object) -> object:
        return tuple(urls.replace(",", " ").split()) if isinstance(urls, str) else urls

    @field_validator("smtp_url")
    @classmethod
    def _server(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and url.get_secret_value():
            parse_smtp_url(url.get_secret_value())
        return url

    @field_validator("mail_from")
    @classmethod
    def _sender(cls, sender: str) -> str:
        if sender:
            parse_sender(sender)
        return sender

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and 0 < len(key.get_secret_value()) < SECRET_KEY_LENGTH:
            raise ValueError(
                f"needs at least {SECRET_KEY_LENGTH} characters: head -c 32 /dev/urandom | base64"
            )
        return key
