"""The composition root: the only place that picks concrete backends and puts the parts together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from alembic.script import ScriptDirectory
from apiflask import APIFlask
from flask_migrate import Migrate, upgrade
from flask_sqlalchemy import SQLAlchemy
from pydantic import SecretStr
from sqlalchemy import Engine, inspect
from werkzeug.middleware.proxy_fix import ProxyFix

import moodle_plugin_bridge
from repo_service import api, web
from repo_service.domain.identity import Registration
from repo_service.domain.redirects import InsecureRedirects
from repo_service.federation.addresses import SERVICE, Addresses, KeyName
from repo_service.federation.keys import Algorithm, Sealer
from repo_service.federation.messages import Message
from repo_service.federation.outgoing import Outgoing
from repo_service.federation.signatures import SigningKey, sign
from repo_service.http import authentication, context, observation, problems, read_only, request_ids, requests
from repo_service.http.file_names import clean_file_name
from repo_service.http.json_bodies import BoundedJSON
from repo_service.http.logging import log_answered
from repo_service.http.metrics import Metrics
from repo_service.http.oidc import Provider
from repo_service.inspection.limits import LIMITS
from repo_service.jobs.queue import Queue
from repo_service.models import Base
from repo_service.models.database import Database, engine_options
from repo_service.search.registry import beside, open_index
from repo_service.services.accounts import Accounts
from repo_service.services.acquainting import Acquainting
from repo_service.services.actor_keys import ActorKeys
from repo_service.services.actors import Actors
from repo_service.services.archives import Archives
from repo_service.services.audit_trail import AuditTrail
from repo_service.services.catalogue import Catalogue, CatalogueSettings
from repo_service.services.changes import Changes
from repo_service.services.cleaning import Cleaning
from repo_service.services.clients import ClientPolicy, Clients
from repo_service.services.collections import Collections
from repo_service.services.comparing import Comparing
from repo_service.services.container import Services
from repo_service.services.contents import BackupContents
from repo_service.services.copies import Copies
from repo_service.services.delivering import Deliverer
from repo_service.services.direct import DirectUploads
from repo_service.services.download_counter import DownloadCounter
from repo_service.services.downloads import Downloads
from repo_service.services.elsewhere import Elsewhere
from repo_service.services.erasing import Erasing
from repo_service.services.exporting import Exports
from repo_service.services.fetching import Fetching
from repo_service.services.finding import Search
from repo_service.services.follows import Follows
from repo_service.services.garbage import GarbageCollector
from repo_service.services.grants import Grants, TokenLifetimes
from repo_service.services.health import Health
from repo_service.services.idempotency import IdempotencyKeys
from repo_service.services.inbox import Inbox
from repo_service.services.indexing import Indexer
from repo_service.services.inspecting import Inspector
from repo_service.services.instances import Instances
from repo_service.services.invitations import Invitations
from repo_service.services.job_board import JobBoard
from repo_service.services.jobs import JobLimits, Jobs
from repo_service.services.judging import Judge
from repo_service.services.keeping import Keeper
from repo_service.services.letters import Letters
from repo_service.services.mailing import open_mailer
from repo_service.services.mirroring import Mirror, MirrorSettings
from repo_service.services.moving import Mover
from repo_service.services.network import Network, NetworkIndexer
from repo_service.services.network_mirroring import NetworkMirror
from repo_service.services.notifying import Notifier
from repo_service.services.outboxes import Outboxes
from repo_service.services.parts import Parts
from repo_service.services.passwords import Passwords
from repo_service.services.people import People
from repo_service.services.possessions import Possessions
from repo_service.services.profiles import Profiles
from repo_service.services.published import Published
from repo_service.services.rebuilding import Rebuilder
from repo_service.services.receiving import Receiver
from repo_service.services.renditions import Renditions
from repo_service.services.replication import Replicator
from repo_service.services.reporting import Reporting
from repo_service.services.resources import Resources
from repo_service.services.resuming import Resuming
from repo_service.services.site_profiles import SiteProfiles
from repo_service.services.sitemaps import Sitemaps
from repo_service.services.storage_report import StorageReport
from repo_service.services.stores import Stores
from repo_service.services.telling import Teller
from repo_service.services.throttling import Throttling
from repo_service.services.thumbnails import Thumbnails
from repo_service.services.uploads import UploadLimits, Uploads
from repo_service.services.usage import Usage
from repo_service.services.verification import Verifier
from repo_service.services.versions import NewVersions
from repo_service.services.webhook_following import WebhookFollower
from repo_service.services.webhooks import Webhooks
from repo_service.settings import MEBIBYTE, Settings
from storage import appendable_staging, open_store

_SOFTWARE = "moodle-resources-repository"
_MIGRATIONS = Path(__file__).parent / "migrations"


def create_app(settings: Settings | None = None, *, writes_index: bool = False) -> APIFlask:
    """The web application, ready to answer. ``writes_index`` is for the worker, the index's one writer.

    Raises ValueError for a setting that names no backend, StorageRefused for a store that cannot be used.
    """
    settings = settings or Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    app = APIFlask(
        "repo_service",
        title=settings.site_name,
        version=version(_SOFTWARE),
        spec_path=api.SPEC_PATH,
        docs_path=None,
    )
    api.configure(app)
    requests.register(app)
    app.json = BoundedJSON(app)
    # Their redirects would name the host that the client claims to have asked.
    app.url_map.strict_slashes = app.url_map.merge_slashes = False
    app.config.update(
        SECRET_KEY=settings.signing_key(),
        SESSION_COOKIE_NAME="repo_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.base_url.startswith("https:"),
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database_url),
        # For bodies that are read whole (JSON, the forms of pages); files are streamed past it.
        MAX_CONTENT_LENGTH=2 * MEBIBYTE,
    )
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    app.wsgi_app = api.MethodOverride(app.wsgi_app)  # type: ignore[method-assign]
    tables = SQLAlchemy(app, metadata=Base.metadata)
    Migrate(app, tables, directory=str(_MIGRATIONS), render_as_batch=True)
    queue = Queue(settings.queue_url)
    counted = Metrics(settings.data_dir / "metrics")
    with app.app_context():
        services = _services(settings, tables.engine, queue, counted, writes_index=writes_index)
    app.extensions["repo_queue"] = queue
    site = context.Site(
        name=settings.site_name,
        base_url=settings.base_url,
        max_upload_size=settings.max_upload_size,
        accel_redirect=settings.accel_redirect,
        send_limit=settings.send_limit,
        read_only=settings.read_only,
        registration=Registration(settings.registration),
        sends_mail=bool(_reveal(settings.smtp_url)),
        provider=_provider(settings),
    )
    context.install(app, services, site, counted)
    request_ids.register(app)
    observation.register(
        app, log_answered, counted.count_answered, account=lambda: context.identity().username
    )
    read_only.register(app)
    authentication.register(app)
    api.register(app)
    web.register(app)
    moodle_plugin_bridge.register(app)
    problems.register(app, base_url=settings.base_url, html=web.problem_page)
    return app


def queue_of(app: APIFlask) -> Queue:
    """The queue of hints that ``app`` was put together with."""
    queue: Queue = app.extensions["repo_queue"]
    return queue


def services_of(app: APIFlask) -> Services:
    """The use cases of ``app``, for the worker and the command line."""
    with app.app_context():
        return context.services()


def engine_of(app: APIFlask) -> Engine:
    """The database engine of ``app``."""
    with app.app_context():
        engine: Engine = app.extensions["sqlalchemy"].engine
        return engine


def has_schema(app: APIFlask) -> bool:
    """Whether the database is one of ours, of whatever release, and not just an empty one."""
    return inspect(engine_of(app)).has_table("alembic_version")


def knows_schema(revision: str) -> bool:
    """Whether this release has the migration that makes the schema of that revision."""
    return any(script.revision == revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions())


def migrate(app: APIFlask, *, revision: str = "head") -> None:
    """Bring the database to the newest schema, or to that of an older release."""
    with app.app_context():
        upgrade(directory=str(_MIGRATIONS), revision=revision)


def _services(
    settings: Settings, engine: Engine, queue: Queue, counted: Metrics, *, writes_index: bool
) -> Services:
    database = Database(engine, on_change=queue.hint_changes)
    stores = _stores(settings, counted)
    store = stores.primary
    jobs = Jobs(
        database,
        JobLimits(attempts=settings.job_attempts, lease=settings.job_lease),
        hint=queue.hint_job,
        observe=counted.count_job,
    )
    limits = UploadLimits(
        max_size=settings.max_upload_size,
        default_quota=settings.quota,
        min_free=settings.min_free_space,
        ttl=settings.upload_ttl,
    )
    copies = Copies(database, stores, jobs)
    replicator = Replicator(database, stores, copies, jobs)
    staging = store
    if appendable_staging(store) is None:
        staging = open_store(
            f"{(settings.data_dir / 'spool').as_uri()}?name=spool", observer=counted.count_store
        )
    uploads = Uploads(database, store, limits, staging=staging)
    keeper = Keeper(database, store)
    archive_limits = replace(LIMITS, max_inflated=settings.max_inflated_size)
    renditions = Renditions(
        database,
        stores,
        copies=copies,
        keeper=keeper,
        jobs=jobs,
        folder=settings.data_dir,
        limits=archive_limits,
    )
    inspector = Inspector(database, copies, replicator, jobs, renditions=renditions, limits=archive_limits)
    versions = NewVersions(jobs, replicator)
    changes = Changes(database)
    index = open_index(settings.search_url, writer=writes_index)
    network_index = open_index(beside(settings.search_url, "network"), writer=writes_index)
    fetching = Fetching(database, stores, copies, replicator, jobs)
    archives = Archives(database, copies=copies, renditions=renditions, limits=archive_limits)
    contents = BackupContents(archives, folder=settings.data_dir)
    throttling = Throttling(database, secret_key=settings.signing_key())
    letters = Letters(
        database,
        jobs,
        open_mailer(_reveal(settings.smtp_url) or "", mail_from=settings.mail_from),
        throttling,
        site_name=settings.site_name,
        base_url=settings.base_url,
    )
    resources = Resources(database, jobs, replicator, versions, letters)
    health = Health(database, stores, queue.check)
    accounts = Accounts(database, letters, default_quota=settings.quota)
    people = People(
        database,
        accounts,
        letters,
        Passwords(),
        throttling,
        registration=Registration(settings.registration),
        base_url=settings.base_url,
        site_name=settings.site_name,
    )
    addresses = Addresses(settings.base_url)
    actor_keys = ActorKeys(database, secret_key=settings.signing_key())
    actors = Actors(
        database, actor_keys, Follows(database), addresses=addresses, site_name=settings.site_name
    )
    published = Published(database, stores, addresses)
    outboxes = Outboxes(database, actors, published, addresses)
    reporting = Reporting(database, letters, replicator, throttling)
    instances = Instances(database, jobs)
    outgoing = Outgoing(
        user_agent=f"{_SOFTWARE}/{version(_SOFTWARE)} (+{settings.base_url})",
        allow_loopback=settings.federation_loopback,
    )
    sealer = Sealer(settings.signing_key())
    documents = outgoing.signing(_sign_as_service(actor_keys, addresses))
    receiver = Receiver(database, jobs, actors, reporting, documents=documents, addresses=addresses)
    return Services(
        database=database,
        accounts=accounts,
        acquainting=Acquainting(
            database,
            jobs,
            receiver,
            outgoing,
            documents=documents,
            addresses=addresses,
            allow_loopback=settings.federation_loopback,
        ),
        actor_keys=actor_keys,
        actors=actors,
        archives=archives,
        audit_trail=AuditTrail(database),
        catalogue=Catalogue(
            database,
            stores,
            changes=changes,
            copies=copies,
            jobs=jobs,
            keeper=keeper,
            replicator=replicator,
            settings=CatalogueSettings(
                service_name=settings.site_name,
                base_url=settings.base_url,
                software=f"{_SOFTWARE}/{version(_SOFTWARE)}",
                folder=settings.data_dir,
                every=settings.catalogue_every,
                keep=settings.catalogue_keep,
                read_only=settings.read_only,
            ),
        ),
        changes=changes,
        cleaning=Cleaning(
            database,
            copies,
            uploads,
            versions,
            jobs,
            folder=settings.data_dir,
            limits=archive_limits,
        ),
        clients=Clients(
            database,
            ClientPolicy(
                needs_approval=settings.client_approval == "administrator",
                registrations=settings.client_registrations,
                unused_ttl=settings.client_unused_ttl,
                insecure_redirects=InsecureRedirects(settings.insecure_redirects),
            ),
        ),
        collections=Collections(database),
        comparing=Comparing(database, contents),
        contents=contents,
        deliverer=Deliverer(database, actor_keys, outgoing, jobs, addresses=addresses),
        direct=DirectUploads(database, store, uploads, inspector, jobs, limits=limits),
        copies=copies,
        download_counter=DownloadCounter(database),
        downloads=Downloads(
            database,
            copies,
            fetching,
            secret_key=settings.signing_key(),
            link_ttl=settings.link_ttl,
        ),
        elsewhere=Elsewhere(database),
        erasing=Erasing(database, people, jobs, replicator),
        exports=Exports(database, copies, site_name=settings.site_name, base_url=settings.base_url),
        fetching=fetching,
        garbage=GarbageCollector(database, stores, copies, uploads, grace=settings.gc_grace),
        grants=Grants(
            database,
            TokenLifetimes(access=settings.access_token_ttl, refresh=settings.refresh_token_ttl),
        ),
        health=health,
        idempotency_keys=IdempotencyKeys(database),
        inbox=Inbox(
            database,
            jobs,
            instances,
            published,
            throttling,
            documents=documents,
            addresses=addresses,
        ),
        indexer=Indexer(database, changes, index) if writes_index else None,
        inspector=inspector,
        instances=instances,
        invitations=Invitations(database, letters, base_url=settings.base_url),
        job_board=JobBoard(database, jobs),
        jobs=jobs,
        judge=Judge(database),
        letters=letters,
        mirror=Mirror(
            database,
            stores,
            copies=copies,
            fetching=fetching,
            jobs=jobs,
            keeper=keeper,
            replicator=replicator,
            settings=MirrorSettings(
                read_only=settings.read_only,
                folder=settings.data_dir,
                keep=settings.catalogue_keep,
                clean_file_name=clean_file_name,
            ),
        ),
        mover=Mover(database, stores, copies, replicator),
        network=Network(database, changes, network_index),
        network_indexer=NetworkIndexer(database, changes, network_index) if writes_index else None,
        network_mirror=NetworkMirror(database, home=settings.network_home) if settings.network_home else None,
        notifier=Notifier(database, outgoing, jobs, sealer=sealer),
        outboxes=outboxes,
        outgoing=outgoing,
        parts=Parts(database, archives, contents),
        people=people,
        rebuilder=Rebuilder(database),
        receiver=receiver,
        renditions=renditions,
        replicator=replicator,
        reporting=reporting,
        resources=resources,
        resuming=Resuming(database, store=store, staging=staging, uploads=uploads, jobs=jobs, limits=limits),
        search=Search(index, resources),
        possessions=Possessions(database),
        profiles=Profiles(database),
        published=published,
        site_profiles=SiteProfiles(database),
        sitemaps=Sitemaps(database),
        storage_report=StorageReport(database, stores, health),
        stores=stores,
        teller=Teller(database, changes, outboxes, actors, jobs, addresses=addresses),
        throttling=throttling,
        thumbnails=Thumbnails(database, renditions),
        uploads=uploads,
        usage=Usage(database),
        verifier=Verifier(database, stores, copies),
        webhook_follower=WebhookFollower(database, changes, jobs, base_url=settings.base_url),
        webhooks=Webhooks(database, outgoing, jobs, throttling, sealer=sealer),
    )


def _sign_as_service(keys: ActorKeys, addresses: Addresses) -> Callable[[Message], Mapping[str, str]]:
    """How the service signs what it asks for: some servers tell nothing to whom they do not know."""
    key_id = addresses.key(SERVICE, KeyName.RSA)

    def sign_it(message: Message) -> Mapping[str, str]:
        pem = keys.private(SERVICE, Algorithm.RSA).decode()
        return sign(message, SigningKey.from_pem(key_id, pem))

    return sign_it


def _provider(settings: Settings) -> Provider | None:
    if not settings.oidc_issuer:
        return None
    return Provider(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=_reveal(settings.oidc_client_secret) or "",
        name=settings.oidc_name,
        base_url=settings.base_url,
    )


def _stores(settings: Settings, counted: Metrics) -> Stores:
    """The primary store and the replicas; those with no credentials of their own have the primary's."""
    return Stores(
        *(
            open_store(
                url,
                access_key=_reveal(settings.store_access_key),
                secret_key=_reveal(settings.store_secret_key),
                observer=counted.count_store,
            )
            for url in (settings.store_url, *settings.replica_urls)
        ),
        all_public=settings.read_only,
    )


def _reveal(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
