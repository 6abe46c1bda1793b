"""Which plugins a backup needs that Moodle itself does not bring."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from importlib import resources

from repo_service.domain.inspection import PluginUse


def _read_core() -> dict[str, frozenset[str]]:
    text = resources.files(__package__).joinpath("core_plugins.json").read_text("utf-8")
    return {kind: frozenset(names) for kind, names in json.loads(text)["plugins"].items()}


_CORE = _read_core()


class PluginUses:
    """Counts what a backup names, and keeps what is not part of Moodle."""

    def __init__(self) -> None:
        self._uses: Counter[str] = Counter()
        self._versions: dict[str, str] = {}

    def add(self, kind: str, uses: Mapping[str, int]) -> None:
        """``uses`` counts plugins of one type (``mod``, ``qtype``, ``block`` …) by their name."""
        for name, count in uses.items():
            if name and name not in _CORE[kind]:
                self._uses[f"{kind}_{name}"] += count

    def add_components(self, uses: Mapping[str, int]) -> None:
        """``uses`` counts by frankenstyle component; counted where nothing else named the plugin."""
        for component, count in uses.items():
            kind, _, name = component.partition("_")
            if name and name not in _CORE.get(kind, (name,)) and component not in self._uses:
                self._uses[component] = count

    def add_version(self, module: str, version: str) -> None:
        """The version of an activity module on the original site."""
        if version:
            self._versions[f"mod_{module}"] = version

    def list(self) -> tuple[PluginUse, ...]:
        """By component."""
        return tuple(
            PluginUse(component=component, version=self._versions.get(component), uses=count)
            for component, count in sorted(self._uses.items())
        )


def is_core(component: str) -> bool:
    """Whether a frankenstyle component is or was part of Moodle; false for types that no backup names."""
    kind, _, name = component.partition("_")
    return name in _CORE.get(kind, ())
