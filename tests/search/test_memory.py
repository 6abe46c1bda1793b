"""The in-memory engine under the conformance suite."""

from __future__ import annotations

import uuid

import pytest

from tests.search.conformance import SearchIndexConformance


class TestMemory(SearchIndexConformance):
    @pytest.fixture
    def url(self) -> str:
        return f"memory:{uuid.uuid4()}"
