"""Speaking with other servers: what the inbox takes, how fast many are told, how soon things are found."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy import Connection, create_engine, func, insert, select

from bench.listening import listening
from bench.measuring import Bench, Row, Rule, Runs, compared, seconds
from bench.programs import Service, program, running_service, running_verifier
from repo_service.domain.network import Standing
from repo_service.federation.addresses import SERVICE
from repo_service.federation.contexts import ACTIVITY_STREAMS, MEDIA_TYPE, PUBLIC
from repo_service.federation.messages import Message
from repo_service.federation.outgoing import Outgoing
from repo_service.federation.signatures import Scheme, SigningKey, sign
from repo_service.federation.signatures.keys import Kind
from repo_service.models import Delivery, Follower, Instance, RemoteActor
from repo_service.models.base import new_id, now
from repo_service.services.delivering import HOSTS_AT_ONCE
from tests.contract.federating import Peer, peering
from tests.support.running import wait_for
from tests.support.services import free_port

_CONNECTIONS = 64
_SERVERS = 4
_SUMMARY = "<p>What the water carries, where it comes from, and where it goes.</p>" * 8
_SECONDS = 120.0


def inbox(bench: Bench) -> Iterator[Row]:
    """Signed activities of four approved servers, each another one, until they are taken in for good."""
    yield _inbox(bench, "ed25519", Scheme.RFC9421, "RFC 9421, Ed25519")
    yield _inbox(bench, "rsa", Scheme.CAVAGE, "draft-cavage-12, RSA")


def _inbox(bench: Bench, kind: Kind, scheme: Scheme, name: str) -> Row:
    folder = bench.folder / kind
    with running_service(folder / "service", federation_loopback="true") as service:
        bench.say(f"inbox: {name}")
        files = (folder / f"requests{number}" for number in count())

        def ours() -> float:
            with ExitStack() as stack:
                # New ones each time: a server may not say more than so much in a while.
                peers = [stack.enter_context(peering(kind)) for _ in range(_SERVERS)]
                for peer in peers:
                    _approve(service, peer)
                    _post(service, _signed(service.url, peer.key, scheme))  # now its key is known
                number = 1_500 if bench.quick else 12_000
                messages = [
                    _signed(service.url, peers[turn % _SERVERS].key, scheme) for turn in range(number)
                ]
                return _rate(bench, service.url, next(files), messages)

        def floor() -> float:
            key = SigningKey.generate("http://127.0.0.1/users/ada#main-key", kind)
            port = free_port()
            url = f"http://127.0.0.1:{port}"
            at = folder / f"floor{port}"
            variables = {"BENCH_KEY": key.public.pem, "BENCH_ORIGIN": url, "BENCH_SCHEME": scheme.value}
            with running_verifier(at, port=port, **variables):
                messages = [_signed(url, key, scheme) for _ in range(100)]
                return _rate(bench, url, at / "requests", messages)

        return compared(
            f"signed activities taken in, {name} / bare verification",
            "requests/s",
            bench.interleaved(ours, floor),
            bar=0.5,
            rule=Rule.RATIO_AT_LEAST,
            note="SQLite; the floor checks form, digest and signature with a key that it has",
        )


def fan_out(bench: Bench) -> Iterator[Row]:
    """One release told to followers on a thousand servers, from the answer until all have it."""
    number = 50 if bench.quick else 1_000
    folder = bench.folder / "fan-out"
    with (
        running_service(folder, worker=True, federation_loopback="true") as service,
        listening(number) as inboxes,
    ):
        bench.say(f"telling {number:,} servers")
        database = create_engine(f"sqlite:///{folder / 'data' / 'repo.db'}")
        with database.begin() as connection:
            _follow(connection, inboxes.urls)
        key = SigningKey.generate(f"{service.url}/ap/service#main-key")
        outgoing = Outgoing(user_agent="bench", allow_loopback=True)
        told: list[int] = []

        def ours() -> float:
            before = inboxes.taken
            _release(service)
            begin = time.perf_counter()
            wait_for(lambda: inboxes.taken - before >= number, "everybody to be told", _SECONDS)
            with database.connect() as connection:
                waiting = select(func.count()).select_from(Delivery)
                wait_for(lambda: not connection.scalar(waiting), "nothing to be left to send", _SECONDS)
                connection.rollback()
            told.append(inboxes.taken - before)
            return inboxes.last - begin

        def send(url: str) -> None:
            outgoing.post(url, body=inboxes.body, sign=partial(sign, key=key, scheme=Scheme.CAVAGE))

        def floor() -> float:
            with ThreadPoolExecutor(HOSTS_AT_ONCE) as pool:
                return seconds(lambda: list(pool.map(send, inboxes.urls * (told[-1] // number))))

        row = compared(
            f"a release told to {number:,} servers / signing and sending",
            "s",
            bench.interleaved(ours, floor),
            bar=3.0,
            rule=Rule.RATIO_AT_MOST,
            note=f"SQLite; {told[-1]:,} requests, {HOSTS_AT_ONCE} at a time",
        )
        outgoing.close()
        database.dispose()
        yield row


def lag(bench: Bench) -> Iterator[Row]:
    """From the answer to an activity until what it is about is found, one after the other."""
    samples = 10 if bench.quick else 100
    folder = bench.folder / "lag"
    with (
        running_service(folder, worker=True, federation_loopback="true") as service,
        peering("ed25519") as peer,
    ):
        _approve(service, peer)
        bench.say("waiting for what others say to be found")

        def p95() -> float:
            times = [_until_found(service, peer) for _ in range(samples)]
            return 1000 * quantiles(times, n=20)[-1]

        p95()
        runs = Runs([p95() for _ in range(bench.runs)])
        yield Row(
            name="from an activity's answer to its being found, p95",
            unit="ms",
            ours=runs.median,
            bar=2_000,
            rule=Rule.AT_MOST,
            note=f"SQLite; {samples} one after the other",
            ours_runs=runs.values,
        )


def _until_found(service: Service, peer: Peer) -> float:
    word = f"w{uuid4().hex}"
    _post(service, _signed(service.url, peer.key, Scheme.RFC9421, title=word))
    begin = time.perf_counter()
    while not service.api.get("/api/v1/network/search", params={"q": word}).json()["total"]:
        if time.perf_counter() - begin > _SECONDS:
            raise RuntimeError("what was said is not found")
        time.sleep(0.01)
    return time.perf_counter() - begin


def _approve(service: Service, peer: Peer) -> None:
    path = f"/api/v1/network/instances/{peer.name}"
    service.api.put(path, json={"standing": Standing.APPROVED.value}).raise_for_status()


def _create(actor: str, title: str = "Rivers") -> bytes:
    host = actor.partition("/users/")[0]
    note = {
        "id": f"{host}/{uuid4()}",
        "type": "Document",
        "name": title,
        "summary": _SUMMARY,
        "attributedTo": actor,
        "to": [PUBLIC],
        "url": f"{host}/page",
    }
    return json.dumps(
        {
            "@context": ACTIVITY_STREAMS,
            "id": f"{host}/{uuid4()}",
            "type": "Create",
            "actor": actor,
            "to": [PUBLIC],
            "object": note,
        }
    ).encode()


def _signed(url: str, key: SigningKey, scheme: Scheme, title: str = "Rivers") -> Message:
    """A request to the inbox, of whose key that is."""
    body = _create(key.key_id.partition("#")[0], title)
    bare = Message("POST", f"{url}/ap/inbox", (("Content-Type", MEDIA_TYPE),), body)
    signed = sign(bare, key, scheme=scheme)
    return Message("POST", bare.url, (*bare.headers, *signed.items()), body)


def _post(service: Service, message: Message) -> None:
    answered = service.api.post("/ap/inbox", content=message.body, headers=list(message.headers))
    answered.raise_for_status()


def _rate(bench: Bench, url: str, path: Path, messages: Sequence[Message]) -> float:
    """Requests a second over connections that are kept. Raises RuntimeError when one is refused, as the same
    is when it comes again."""
    with path.open("wb") as file:
        for message in messages:
            whole = _on_the_wire(message)
            file.write(b"%d\n" % len(whole) + whole)
    duration = 1 if bench.quick else 4
    script = Path(__file__).with_name("posting.lua")
    command = [
        program("wrk"),
        "-t1",
        f"-c{_CONNECTIONS}",
        f"-d{duration}s",
        "-s",
        str(script),
        url,
        "--",
        str(path),
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told)
    if rate is None or "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(f"wrk met errors:\n{told}")
    return float(rate[1])


def _on_the_wire(message: Message) -> bytes:
    lines = [f"POST {message.target} HTTP/1.1", f"Content-Length: {len(message.body)}"]
    lines += [f"{name}: {value}" for name, value in message.headers]
    return "\r\n".join([*lines, "", ""]).encode() + message.body


def _follow(connection: Connection, inboxes: Sequence[str]) -> None:
    """Somebody at each of them follows the service."""
    moment = now()
    servers = [(new_id(), new_id(), url) for url in inboxes]
    connection.execute(
        insert(Instance),
        [
            {
                "id": server,
                "host": urlsplit(url).netloc,
                "standing": Standing.KNOWN.value,
                "reason": "",
                "failures": 0,
                "created_at": moment,
            }
            for server, _, url in servers
        ],
    )
    connection.execute(
        insert(RemoteActor),
        [
            {
                "id": actor,
                "uri": url.replace("/inbox", "/users/ada"),
                "instance_id": server,
                "inbox": url,
                "blocked_reason": "",
                "created_at": moment,
            }
            for server, actor, url in servers
        ],
    )
    connection.execute(
        insert(Follower),
        [
            {
                "id": new_id(),
                "actor": SERVICE.path,
                "remote_id": actor,
                "activity": url.replace("/inbox", "/follow"),
                "created_at": moment,
            }
            for _, actor, url in servers
        ],
    )


def _release(service: Service) -> None:
    """Share something for everybody, and wait until it is."""
    metadata = json.dumps({"title": "Rivers", "licence": "CC-BY-4.0", "languages": ["en"], "release": True})
    made = service.api.post(
        "/api/v1/resources", data={"metadata": metadata}, files={"file": ("notes.txt", uuid4().bytes)}
    )
    url = made.raise_for_status().json()["api_url"]
    wait_for(lambda: service.api.get(url).json()["visibility"] == "public", "its release", _SECONDS)
