"""``/api/v1/catalogue``: the snapshots of the public catalogue, and their files."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response, request, url_for

from repo_service.api import operations
from repo_service.api.operations import answer, problems
from repo_service.api.schemas import CatalogueOut, HomeOut, NamedFileOut, SnapshotOut
from repo_service.http.context import services, site
from repo_service.http.delivery import deliver
from repo_service.services.catalogue import SnapshotRecord
from repo_service.services.catalogue_format import CATALOGUE_NAME, MANIFEST_NAME, NamedFile
from storage import BlobReader

blueprint = APIBlueprint("catalogue", __name__, tag="Catalogue")

_SHOWN = 20
_BINARY: dict[str, dict[str, dict[str, Any]]] = {"content": {"*/*": {}}}
"""No schema: one of the files is JSON, and a range of it is none."""


@blueprint.get("/api/v1/catalogue")
@blueprint.output(CatalogueOut)
@blueprint.doc(operation_id="listSnapshots", security=operations.PUBLIC, responses=problems())
def snapshots() -> Response:
    """Snapshots of all that is public

    The newest first. `repo catalogue restore` makes a mirror from the CID or the address of a manifest.
    """
    home = services().mirror.home()
    return answer(
        CatalogueOut(
            items=[_snapshot(record) for record in services().catalogue.snapshots(_SHOWN)],
            mirror_of=None if home is None else HomeOut.model_validate(home),
        ),
        headers={"Cache-Control": "no-cache"},
    )


@blueprint.get("/files/catalogue/<digest>/<name>")
@blueprint.doc(
    operation_id="downloadSnapshot",
    security=operations.PUBLIC,
    responses=problems(
        "precondition-failed",
        "invalid-range",
        "storage-unavailable",
        also={
            200: {"description": "The file", **_BINARY},
            206: {"description": "The ranges asked for; several as multipart/byteranges", **_BINARY},
            304: {"description": "Not modified"},
        },
    ),
)
def download(digest: str, name: str) -> Response:
    """Download a file of a snapshot

    `manifest.json` or `catalogue.jsonl.gz` of the snapshot whose manifest has this SHA-256.
    """
    found = services().catalogue.open(digest, name)

    def open_range(offset: int, length: int) -> BlobReader:
        return found.copies.open(offset=offset, length=length)

    return deliver(
        request,
        size=found.size,
        etag=found.digest,
        media_type=found.media_type,
        file_name=name,
        digest=found.digest,
        last_modified=found.modified,
        open_range=open_range,
        redirect_url=lambda: None,
        accel_path=lambda: None,
        cache_control="public, max-age=86400",
    )


def _snapshot(record: SnapshotRecord) -> SnapshotOut:
    digest = record.manifest.digest
    return SnapshotOut(
        generated_at=record.created_at,
        resources=record.resources,
        change_seq=record.change_seq,
        manifest=_named_file(record.manifest, digest, MANIFEST_NAME),
        catalogue=_named_file(record.catalogue, digest, CATALOGUE_NAME),
    )


def _named_file(file: NamedFile, manifest_digest: str, name: str) -> NamedFileOut:
    path = url_for("catalogue.download", digest=manifest_digest, name=name)
    return NamedFileOut(
        sha256=file.digest,
        size=file.size,
        cid=file.cid,
        url=None if file.cid is None else f"ipfs://{file.cid}",
        download_url=site().base_url + path,
    )
