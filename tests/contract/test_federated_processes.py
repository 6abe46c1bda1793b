"""Two services as real processes: what one publishes is in the index of the other, which is killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.running import Running, running, wait_for

_LOOPBACK: dict[str, Any] = {"federation_loopback": "true", "web_workers": "1", "catalogue_every": "PT0S"}
_SOON, _AFTER_WAITING = 60, 200


def _publish(school: Running, folder: Path, title: str) -> None:
    file = folder / f"{title}.txt"
    file.write_text(title)
    given = f'{{"title": "{title}", "licence": "CC-BY-4.0", "release": true}}'
    assert school.send(file, metadata=given).status_code == 201


def _names(hq: Running) -> list[str]:
    found: list[dict[str, Any]] = hq.client.get(
        "/api/v1/network/search", params={"kind": "resource", "limit": 100}
    ).json()["items"]
    return sorted(item["name"] for item in found)


def _kill(service: Running) -> None:
    for process in [*service.process.children(recursive=True), service.process]:
        process.kill()
    service.process.wait()


@pytest.mark.timeout(600)
def test_nothing_is_lost_or_doubled_when_the_index_is_killed(tmp_path: Path) -> None:
    for name in ("hq", "school"):
        (tmp_path / name).mkdir()
    with running(tmp_path / "school", **_LOOPBACK) as school:
        _publish(school, tmp_path, "Before")
        with running(tmp_path / "hq", **_LOOPBACK) as hq:
            approved = hq.client.put(
                f"/api/v1/network/instances/127.0.0.1:{school.port}", json={"standing": "approved"}
            )
            assert approved.status_code == 200, approved.text
            wait_for(lambda: _names(hq) == ["Before"], "what was there", _SOON)
            _publish(school, tmp_path, "New")
            wait_for(lambda: _names(hq) == ["Before", "New"], "what is new", _SOON)
            _kill(hq)
            for number in range(5):
                _publish(school, tmp_path, f"Meanwhile {number}")
        expected = ["Before", *(f"Meanwhile {number}" for number in range(5)), "New"]
        with running(tmp_path / "hq", before=hq, **_LOOPBACK) as again:
            assert _names(again) == ["Before", "New"]
            wait_for(lambda: _names(again) == expected, "what was published meanwhile", _AFTER_WAITING)
