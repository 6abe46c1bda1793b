"""The Moodle plugins as installable archives: ``python -m moodle_plugin_bridge.plugins FOLDER``.

Moodle's installer wants one folder in a zip, named as the plugin without its type
(``lib/classes/update/code_manager.php``, ``rename_extracted_rootdir``). The same sources always give the same
bytes.
"""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent / "php"
LICENCE = SOURCES / "COPYING"

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest moment that a zip can tell."""

_READABLE = 0o100644 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One plugin. ``component`` is its full name, such as ``local_resourcerepo``."""

    component: str
    folder: Path
    release: str

    @property
    def name(self) -> str:
        """Its name without its type: the folder it lives in, in a Moodle."""
        return self.component.partition("_")[2]

    def files(self) -> Iterator[Path]:
        """What belongs to it, in a fixed order."""
        return (path for path in sorted(self.folder.rglob("*")) if path.is_file())

    def build(self, folder: Path) -> Path:
        """Write its archive into ``folder``, and return the archive's path."""
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{self.component}-{self.release}.zip"
        with zipfile.ZipFile(target, "w") as archive:
            _add(archive, f"{self.name}/COPYING", LICENCE)
            for path in self.files():
                _add(archive, f"{self.name}/{path.relative_to(self.folder).as_posix()}", path)
        return target


def plugins() -> Iterator[Plugin]:
    """Every plugin there is, by name."""
    for version in sorted(SOURCES.glob("*/version.php")):
        fields = dict(re.findall(r"\$plugin->(\w+) = '([^']*)';", version.read_text(encoding="utf-8")))
        yield Plugin(component=fields["component"], folder=version.parent, release=fields["release"])


def _add(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    member = zipfile.ZipInfo(name, date_time=_EPOCH)
    member.external_attr = _READABLE
    archive.writestr(member, path.read_bytes(), compress_type=zipfile.ZIP_DEFLATED)


def main(arguments: list[str]) -> None:
    """Build all of them into the folder given."""
    for plugin in plugins():
        print(plugin.build(Path(arguments[0])))


if __name__ == "__main__":
    main(sys.argv[1:])
