"""What servers of any kind can ask each other: NodeInfo 2.1, and host-meta."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lxml import etree
from sqlalchemy import update

from repo_service.models import Token
from repo_service.models.base import now
from tests.contract.activitypub import BASE, read
from tests.contract.support import publish, share
from tests.support.service import OPERATOR, MakeService, Service, json_of

_SCHEMA = "http://nodeinfo.diaspora.software/ns/schema/2.1"


def _node_info(service: Service) -> Any:
    answer = service.client().get("/nodeinfo/2.1")
    assert answer.headers["Content-Type"] == f'application/json; profile="{_SCHEMA}#"'
    return json_of(answer)


def test_the_way_there(service: Service) -> None:
    links = json_of(service.client().get("/.well-known/nodeinfo"))["links"]
    assert {link["rel"]: link["href"] for link in links} == {
        _SCHEMA: f"{BASE}/nodeinfo/2.1",
        "https://www.w3.org/ns/activitystreams#Application": f"{BASE}/ap/service",
    }
    assert read(service, links[1]["href"])["type"] == "Application"


def test_all_that_the_schema_asks_for_and_nothing_else(service: Service) -> None:
    info = _node_info(service)
    assert set(info) == {
        *("version", "software", "protocols", "services", "openRegistrations", "usage", "metadata"),
    }
    assert info["version"] == "2.1"
    assert info["software"]["name"] == "moodle-resources-repository"
    assert info["protocols"] == ["activitypub"]
    assert info["services"] == {"inbound": [], "outbound": []}
    assert info["openRegistrations"] is False
    assert info["metadata"] == {"nodeName": service.settings.site_name, "collections": 0}


def test_what_is_counted(any_service: Service) -> None:
    """People who can come in, and what is public."""
    teacher = any_service.member("ada")
    resource = publish(any_service, teacher)
    share(teacher, b"draft")
    given = {"title": "Water", "visibility": "public"}
    made = json_of(teacher.post("/api/v1/collections", json=given), 201)
    added = teacher.post(f"/api/v1/collections/{made['id']}/items", json={"resource": resource["id"]})
    json_of(added, 201)
    json_of(teacher.post("/api/v1/collections", json={"title": "Private"}), 201)
    any_service.member("never-came")
    any_service.member("blocked")
    blocked = any_service.services.accounts.find(OPERATOR, "blocked")
    any_service.services.accounts.change(OPERATOR, blocked.id, blocked=True)
    info = _node_info(any_service)
    assert info["usage"] == {
        "users": {"total": 2, "activeMonth": 1, "activeHalfyear": 1},
        "localPosts": 1,
    }
    assert info["metadata"]["collections"] == 1
    with any_service.services.database.write() as session:
        session.execute(update(Token).values(last_used_at=now() - timedelta(days=40)))
    users = _node_info(any_service)["usage"]["users"]
    assert (users["activeMonth"], users["activeHalfyear"]) == (0, 2)


def test_open_registration_is_told(make_service: MakeService) -> None:
    assert _node_info(make_service(registration="open"))["openRegistrations"] is True


def test_host_meta_leads_to_web_finger(make_service: MakeService) -> None:
    service = make_service(base_url="https://resources.example/a&b")
    answer = service.client().get("/.well-known/host-meta")
    assert answer.mimetype == "application/xrd+xml"
    (link,) = etree.fromstring(answer.data)
    assert link.attrib["rel"] == "lrdd"
    expected = "https://resources.example/a&b/.well-known/webfinger?resource={uri}"
    assert link.attrib["template"] == expected
