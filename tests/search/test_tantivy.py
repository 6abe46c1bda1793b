"""The embedded engine under the conformance suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.search.conformance import SearchIndexConformance


class TestTantivy(SearchIndexConformance):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"tantivy://{tmp_path}/index"
