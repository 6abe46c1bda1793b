"""The Moodle plugins as they are handed out: what can be said of them without a Moodle.

Their own tests (``*/tests``, PHPUnit in a Moodle) say what they do.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from moodle_plugin_bridge import plugins
from moodle_plugin_bridge.plugins import Plugin
from tests.support.services import missing

PLUGINS = tuple(plugins.plugins())
COMPONENTS = {plugin.component: plugin for plugin in PLUGINS}
LANGUAGES = ("en", "de")
each_plugin = pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.component)

_STRING = re.compile(r"^\$string\['(?P<name>[^']+)'\] = '(?P<text>(?:[^'\\]|\\.)*)';$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"\{\$a(?:->\w+)?\}")
_ENTRY = "version.php"
FAILING = "local_resourcerepo"
"""Whose strings failures are told in."""


def sources(plugin: Plugin, ending: str = ".php") -> Iterator[tuple[str, str]]:
    """The files of a plugin with that ending: their paths below it, and their text."""
    for path in plugin.files():
        if path.suffix == ending:
            yield path.relative_to(plugin.folder).as_posix(), path.read_text(encoding="utf-8")


def strings(plugin: Plugin, language: str) -> dict[str, str]:
    """The strings of a plugin in a language."""
    text = (plugin.folder / "lang" / language / f"{plugin.component}.php").read_text(encoding="utf-8")
    return {found["name"]: found["text"] for found in _STRING.finditer(text)}


def asked_for(component: str) -> set[str]:
    """The strings of ``component`` that are asked for, as regular expressions: parts may be variables."""
    asked = {"pluginname"}
    call = rf"""(?:get_string|lang_string|string_exists)\(\s*['"]([^'"]+)['"],\s*'{component}'"""
    for plugin in PLUGINS:
        for name, text in sources(plugin):
            asked |= {_pattern(found) for found in re.findall(call, text)}
            if plugin.component != component:
                reasons = re.findall(r"new failure\(\s*'(\w+)'", text) if component == FAILING else []
            elif component == FAILING:
                reasons = re.findall(r"new (?:self|failure|account_required)\(\s*'(\w+)'", text)
            else:
                reasons = []
            asked |= {f"failure_{reason}" for reason in reasons}
            if plugin.component == component:
                asked |= _declared(plugin, name, text)
        for _, text in sources(plugin, ".mustache"):
            asked |= {
                _pattern(found) for found in re.findall(rf"{{{{#str}}}}\s*([\w:]+), {component}\b", text)
            }
    return asked


def _declared(plugin: Plugin, name: str, text: str) -> set[str]:
    """The strings that Moodle looks for because of what a file declares."""
    match name:
        case "db/caches.php":
            return {f"cachedef_{cache}" for cache in re.findall(r"^    '(\w+)' => \[", text, re.MULTILINE)}
        case "db/access.php":
            return set(re.findall(rf"^    '\w+/({plugin.name}:\w+)' => \[", text, re.MULTILINE))
        case "classes/privacy/provider.php":
            return set(re.findall(r"'(privacy:[\w:]+)'", text))
        case _:
            return set()


def named_somewhere(component: str) -> set[str]:
    """Every literal in the code, as regular expressions: a string that none of them names is not used."""
    literals: set[str] = set()
    for plugin in PLUGINS:
        for name, text in sources(plugin):
            if not name.startswith("lang/"):
                literals |= {_pattern(found) for found in re.findall(r"""['"]([\w:{}$]+)['"]""", text)}
    return literals | {f"failure_{reason}" for reason in literals} | asked_for(component)


def _pattern(name: str) -> str:
    return re.sub(r"\\\{\\\$\w+\\\}", r"\\w+", re.escape(name))


def without_comments(text: str) -> str:
    """PHP without its comments."""
    return re.sub(r"/\*.*?\*/|(?<![:'\"])//[^\n]*", "", text, flags=re.DOTALL)


def test_there_are_plugins() -> None:
    assert {"local_resourcerepo", "repository_resourcerepo"} <= set(COMPONENTS)


@each_plugin
def test_php_can_be_parsed(plugin: Plugin) -> None:
    php = shutil.which("php")
    if php is None:
        missing("PHP", "apt-get install php-cli")
    for path in plugin.files():
        if path.suffix == ".php":
            done = subprocess.run([php, "-l", path], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr


@each_plugin
def test_every_file_says_its_licence_and_package(plugin: Plugin) -> None:
    for name, text in sources(plugin):
        assert text.startswith("<?php\n// This file is part of Moodle - https://moodle.org/\n"), name
        assert "either version 3 of the License, or\n// (at your option) any later version." in text, name
        assert re.search(rf"^ \* @package    {plugin.component}$", text, re.MULTILINE), name
        assert " * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later\n" in text, name
        assert re.search(r"[^\n]\n\Z", text), name


@each_plugin
def test_every_class_stands_where_moodle_looks_for_it(plugin: Plugin) -> None:
    for name, text in sources(plugin):
        if not name.startswith(("classes/", "tests/")) or "namespace " not in text:
            continue
        path = Path(name)
        namespace = re.search(r"^namespace ([\w\\]+);$", text, re.MULTILINE)
        declared = re.search(r"^(?:final |abstract )?(?:class|trait|interface) (\w+)", text, re.MULTILINE)
        assert namespace, name
        assert declared, name
        assert declared[1] == path.stem
        if name.startswith("classes/") or path.parent != Path("tests/fixtures"):
            below = path.parent.parts[1:]
            assert namespace[1] == "\\".join([plugin.component, *below])


@each_plugin
def test_nothing_is_left_over_from_writing_it(plugin: Plugin) -> None:
    left = re.compile(
        r"\b(?:var_dump|print_r|var_export|error_log|debugging|die|exit|eval|console\.log)\s*\("
    )
    for name, text in sources(plugin):
        code = without_comments(text).replace("defined('MOODLE_INTERNAL') || die();", "")
        assert not left.search(code), name
        assert not re.search(r"\b(?:TODO|FIXME|XXX)\b", text), name
        assert max(map(len, text.splitlines())) <= 132 or name.startswith("lang/"), name


@each_plugin
def test_php_7_4_which_moodle_4_1_runs_on_would_understand_it(plugin: Plugin) -> None:
    newer = re.compile(
        r"""
        \?-> | \bmatch\s*\( | \benum\ \w | \breadonly\b | ^\s*\#\[
        | \bstr_(?:contains|starts_with|ends_with)\s*\( | \barray_is_list\s*\(
        | function\ __construct\([^)]*\b(?:public|private|protected)\b
        | \):\ (?:static|never|mixed|false)\b | \):\ \??\w+\|
        | \bcatch\ \([^$)]*\) | [(,]\s*\w+:\ \$
        """,
        re.MULTILINE | re.VERBOSE,
    )
    for name, text in sources(plugin):
        found = newer.search(without_comments(text))
        assert not found, f"{name}: {found and found[0]}"


@each_plugin
def test_nothing_newer_than_moodle_4_1_is_called(plugin: Plugin) -> None:
    newer = re.compile(
        r"\bcore_external\\|\\core\\cron::|\\core\\hook\\|\\core\\url\b|\\core\\di\b|\\core\\exception\\"
    )
    for name, text in sources(plugin):
        assert not newer.search(text), name


@each_plugin
def test_every_string_that_is_used_is_there_in_every_language(plugin: Plugin) -> None:
    known = strings(plugin, "en")
    for pattern in asked_for(plugin.component):
        assert any(re.fullmatch(pattern, name) for name in known), pattern
    named = re.compile("|".join(named_somewhere(plugin.component)))
    by_moodle = {"configplugin"} | {f"{name}_help" for name in known}
    assert {name for name in known if not named.fullmatch(name)} <= by_moodle
    for language in LANGUAGES:
        assert strings(plugin, language).keys() == known.keys()


@each_plugin
@pytest.mark.parametrize("language", LANGUAGES)
def test_strings_are_sorted_and_have_the_same_placeholders(plugin: Plugin, language: str) -> None:
    text = (plugin.folder / "lang" / language / f"{plugin.component}.php").read_text(encoding="utf-8")
    names = [found["name"] for found in _STRING.finditer(text)]
    assert names == sorted(set(names))
    assert len(names) == text.count("$string[")
    english = strings(plugin, "en")
    for name, said in strings(plugin, language).items():
        assert set(_PLACEHOLDER.findall(said)) <= set(_PLACEHOLDER.findall(english[name])), name
        assert said.strip(), name


@each_plugin
def test_versions_fit_together(plugin: Plugin) -> None:
    text = (plugin.folder / _ENTRY).read_text(encoding="utf-8")
    fields = dict(re.findall(r"^\$plugin->(\w+) = (.+?);", text, re.MULTILINE))
    assert fields["component"] == f"'{plugin.component}'"
    assert plugin.folder.name == plugin.component
    assert re.fullmatch(r"20\d{8}", fields["version"])
    assert fields["requires"] == "2022112800"  # Moodle 4.1
    assert re.fullmatch(r"\[\d{3}, \d{3}\]", fields["supported"])
    assert re.fullmatch(r"'\d+\.\d+\.\d+'", fields["release"])
    assert fields["maturity"].startswith("MATURITY_")
    for component, version in re.findall(r"'(\w+)' => (\d+)", fields.get("dependencies", "")):
        wanted = (COMPONENTS[component].folder / _ENTRY).read_text(encoding="utf-8")
        assert int(re.search(r"version = (\d+);", wanted)[1]) >= int(version)  # type: ignore[index]


@each_plugin
def test_capabilities_and_privacy_are_declared(plugin: Plugin) -> None:
    access = (plugin.folder / "db" / "access.php").read_text(encoding="utf-8")
    assert re.findall(rf"'{plugin.component.partition('_')[0]}/{plugin.name}:\w+' => \[", access)
    provider = (plugin.folder / "classes" / "privacy" / "provider.php").read_text(encoding="utf-8")
    assert re.search(r"class provider implements", provider)


@each_plugin
def test_templates_have_an_example_that_can_be_read(plugin: Plugin) -> None:
    for name, text in sources(plugin, ".mustache"):
        assert f"@template {plugin.component}/{Path(name).stem}\n" in text
        example = re.search(r"Example context \(json\):\n(.*?)\n\}\}", text, re.DOTALL)
        assert example, name
        assert json.loads(example[1])


@each_plugin
def test_the_archive_is_what_moodle_installs(plugin: Plugin, tmp_path: Path) -> None:
    built = plugin.build(tmp_path / "plugins")
    assert built.name == f"{plugin.component}-{plugin.release}.zip"
    with zipfile.ZipFile(built) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert {name.partition("/")[0] for name in names} == {plugin.name}
        for name in ("version.php", "COPYING", f"lang/en/{plugin.component}.php"):
            assert f"{plugin.name}/{name}" in names
        assert not [name for name in names if Path(name).name.startswith(".")]
    again = plugin.build(tmp_path / "again")
    assert hashlib.sha256(built.read_bytes()).digest() == hashlib.sha256(again.read_bytes()).digest()


def test_the_licence_is_the_text_that_the_fsf_publishes() -> None:
    assert plugins.LICENCE.read_text().lstrip().startswith("GNU GENERAL PUBLIC LICENSE\n")
    assert hashlib.sha256(plugins.LICENCE.read_bytes()).hexdigest() == (
        "3972dc9744f6499f0f9b2dbf76696f2ae7ad8af9b23dde66d6af86c9dfb36986"
    )
