"""Which plugins a backup needs that Moodle itself does not bring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from repo_service.domain.inspection import PluginUse
from repo_service.inspection.moodle.core import PLUGIN_TYPES, ever_core


class PluginUses:
    """Counts what a backup names, and keeps what is not part of Moodle."""

    def __init__(self) -> None:
        self._uses: Counter[str] = Counter()
        self._versions: dict[str, str] = {}

    def add(self, kind: str, uses: Mapping[str, int]) -> None:
        """``uses`` counts plugins of one type (``mod``, ``qtype``, ``block`` …) by their name."""
        for name, count in uses.items():
            if name and name not in ever_core(kind):
                self._uses[f"{kind}_{name}"] += count

    def add_components(self, uses: Mapping[str, int]) -> None:
        """``uses`` counts by frankenstyle component; counted where nothing else named the plugin."""
        for component, count in uses.items():
            kind, _, name = component.partition("_")
            known = kind in PLUGIN_TYPES and name not in ever_core(kind)
            if name and known and component not in self._uses:
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
    return kind in PLUGIN_TYPES and name in ever_core(kind)
