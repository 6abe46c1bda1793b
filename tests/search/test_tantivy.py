"""The embedded engine: the conformance suite, and what only an index in a directory has: processes, harm."""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from repo_service.domain.search import SearchQuery
from repo_service.search.base import SearchIndex
from repo_service.search.errors import IndexFull, IndexInterrupted, IndexLocked, IndexUnusable
from repo_service.search.registry import open_index
from tests.search.conformance import SearchIndexConformance, document, ids


class TestTantivy(SearchIndexConformance):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"tantivy://{tmp_path}/index"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def writer(folder: Path) -> Iterator[SearchIndex]:
    index = open_index(f"tantivy://{folder}", writer=True)
    yield index
    index.close()


@pytest.fixture
def reader(folder: Path) -> Iterator[SearchIndex]:
    index = open_index(f"tantivy://{folder}", writer=False)
    yield index
    index.close()


# ---- Processes

# Another process that answers on a line what it is told on a line.
_OTHER_PROCESS = """
import json, sys
from repo_service.search.registry import open_index
from tests.search.conformance import document, ids

index = open_index(sys.argv[1], writer=sys.argv[2] == "writer")
for line in sys.stdin:
    command, argument = json.loads(line)
    match command:
        case "ids":
            answer = ids(index, argument)
        case "commit":
            index.put([document(id_, "Rocks") for id_ in argument])
            index.commit(position=index.position() + 1)
            answer = index.position()
        case "put":
            index.put([document(id_, "Rocks") for id_ in argument])
            answer = None
        case "rebuild":
            index.rebuild([document(id_, "Rocks") for id_ in argument], position=100)
            answer = index.position()
    print(json.dumps(answer), flush=True)
"""


class _Other:
    def __init__(self, folder: Path, role: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _OTHER_PROCESS, f"tantivy://{folder}", role],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, command: str, argument: object) -> object:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([command, argument]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self) -> None:
        self.process.communicate(timeout=30)


def test_readers_follow_commits_and_rebuilds_of_another_process(folder: Path, reader: SearchIndex) -> None:
    other = _Other(folder, "writer")
    try:
        assert ids(reader, "rocks") == []
        for number in range(5):
            other.ask("commit", [str(number)])
            assert set(ids(reader, "rocks")) == {str(done) for done in range(number + 1)}
            assert reader.position() == number + 1
        other.ask("put", ["not committed"])
        assert "not committed" not in ids(reader)
        for _ in range(3):
            other.ask("rebuild", ["a", "b"])
            assert set(ids(reader, "rocks")) == {"a", "b"}
            assert reader.position() == 100
        other.ask("commit", ["c"])
        assert set(ids(reader, "rocks")) == {"a", "b", "c"}
    finally:
        other.end()


def test_another_process_reads_what_is_written_here(folder: Path, writer: SearchIndex) -> None:
    other = _Other(folder, "reader")
    try:
        assert other.ask("ids", "rocks") == []
        writer.put([document("a", "Rocks")])
        writer.commit(position=1)
        assert other.ask("ids", "rocks") == ["a"]
        writer.rebuild([document("b", "Rocks")], position=2)
        assert other.ask("ids", "rocks") == ["b"]
    finally:
        other.end()


def test_one_writer_among_all_processes(folder: Path) -> None:
    other = _Other(folder, "writer")
    try:
        other.ask("commit", ["a"])
        with pytest.raises(IndexLocked):
            open_index(f"tantivy://{folder}", writer=True)
    finally:
        other.end()
    open_index(f"tantivy://{folder}", writer=True).close()


def test_a_writer_that_was_killed_leaves_its_last_commit(folder: Path) -> None:
    other = _Other(folder, "writer")
    other.ask("commit", ["a"])
    other.ask("put", ["b"])
    other.process.send_signal(signal.SIGKILL)
    other.end()
    with contextlib.closing(open_index(f"tantivy://{folder}", writer=True)) as index:
        assert ids(index) == ["a"]
        assert index.position() == 1
        index.put([document("c", "Rocks")])
        index.commit(position=2)
        assert set(ids(index)) == {"a", "c"}


# ---- A full disk


@contextlib.contextmanager
def _no_room() -> Iterator[None]:
    """No file of this process can grow, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_costs_nothing_but_what_was_not_committed(writer: SearchIndex) -> None:
    writer.put([document("a", "Rocks")])
    writer.commit(position=1)
    writer.put([document("b", "Rocks")])
    with _no_room(), pytest.raises((IndexFull, IndexInterrupted)):  # whichever thread meets it first
        writer.commit(position=2)
    assert (ids(writer), writer.position()) == (["a"], 1)

    writer.put([document("b", "Rocks")])
    writer.commit(position=2)
    assert (set(ids(writer)), writer.position()) == ({"a", "b"}, 2)


class _Dying:
    """A writer whose own thread has met an error."""

    def delete_documents_by_term(self, *_term: object) -> None:
        raise ValueError("An error occurred in a thread: 'An index writer was killed.. A worker thread …'")


def test_a_writer_that_breaks_off_again_may_mean_damage(
    writer: SearchIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it is tried again; only an index that takes nothing any more has to be made anew."""
    for errors in ([IndexInterrupted, IndexUnusable], [IndexInterrupted]):
        with monkeypatch.context() as patch:
            patch.setattr(type(writer), "_open_writer", lambda _self: _Dying())
            for error in errors:
                with pytest.raises(error):
                    writer.commit(position=1)
        writer.commit(position=1)


# ---- Generations


def _generations(folder: Path) -> list[Path]:
    return sorted(folder.glob("generation-*"))


def test_old_generations_are_removed(folder: Path, writer: SearchIndex) -> None:
    for position in range(1, 4):
        writer.rebuild([document("a", "Rocks")], position=position)
        assert len(_generations(folder)) == 1


def test_what_an_interrupted_rebuild_left_is_removed(folder: Path, writer: SearchIndex) -> None:
    writer.rebuild([document("a", "Rocks")], position=1)
    writer.close()
    (folder / "generation-0123").mkdir()
    (folder / "generation-0123" / "meta.json").write_text("{")
    index = open_index(f"tantivy://{folder}", writer=True)
    assert ids(index) == ["a"]
    assert len(_generations(folder)) == 1
    index.close()


def test_a_walk_of_a_reader_goes_on_while_files_are_removed(writer: SearchIndex, reader: SearchIndex) -> None:
    writer.rebuild([document(str(number), "Rocks") for number in range(50)], position=1)
    first = reader.query(SearchQuery(text="rocks", limit=20))
    writer.rebuild([document(str(number), "Rocks") for number in range(50)], position=2)
    second = reader.query(SearchQuery(text="rocks", limit=40, cursor=first.next_cursor))
    assert len({hit.id for hit in (*first.hits, *second.hits)}) == 50


# ---- Damage


def _assert_unusable_until_rebuilt(folder: Path) -> None:
    """The damage is told apart from an empty index by whoever looks first, and a rebuild mends it."""
    for role in (False, True):
        with contextlib.closing(open_index(f"tantivy://{folder}", writer=role)) as index:
            with pytest.raises(IndexUnusable):
                index.position()
            with pytest.raises(IndexUnusable):
                index.query(SearchQuery(text="rocks"))
    with contextlib.closing(open_index(f"tantivy://{folder}", writer=True)) as index:
        with pytest.raises(IndexUnusable):
            index.put([document("b", "Rocks")])
        index.rebuild([document("c", "Rocks")], position=3)
        assert ids(index) == ["c"]
        assert index.position() == 3


@pytest.fixture
def written(folder: Path) -> Path:
    index = open_index(f"tantivy://{folder}", writer=True)
    index.rebuild([document(str(number), "Big rocks") for number in range(100)], position=1)
    index.close()
    return folder


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"version": 1}', b"\xff\x00"])
def test_a_damaged_name_of_the_generation(written: Path, content: bytes) -> None:
    (written / "CURRENT").write_bytes(content)
    _assert_unusable_until_rebuilt(written)


@pytest.mark.parametrize("name", ["../../etc", "generation-xyz", "generation-00", 7, None])
def test_a_name_that_is_no_generation(written: Path, name: object) -> None:
    current = json.loads((written / "CURRENT").read_bytes())
    (written / "CURRENT").write_text(json.dumps({**current, "generation": name}))
    _assert_unusable_until_rebuilt(written)


def test_an_index_of_another_version(written: Path) -> None:
    current = json.loads((written / "CURRENT").read_bytes())
    (written / "CURRENT").write_text(json.dumps({**current, "version": current["version"] + "."}))
    _assert_unusable_until_rebuilt(written)


def test_a_damaged_list_of_segments(written: Path) -> None:
    (generation,) = _generations(written)
    (generation / "meta.json").write_text("{")
    _assert_unusable_until_rebuilt(written)


@pytest.mark.parametrize("suffix", ["term", "idx", "fast", "store"])
@pytest.mark.parametrize("harm", ["missing", "empty", "cut"])
def test_damaged_segments(written: Path, suffix: str, harm: str) -> None:
    (generation,) = _generations(written)
    files = list(generation.glob(f"*.{suffix}"))
    assert files
    for file in files:
        whole = file.read_bytes()
        file.unlink()
        if harm != "missing":
            file.write_bytes(whole[: len(whole) // 2] if harm == "cut" else b"")
    _assert_unusable_until_rebuilt(written)


def test_what_is_opened_only_when_it_is_needed_is_told_then(written: Path) -> None:
    """The places of words are opened by the first search for one."""
    (generation,) = _generations(written)
    for file in generation.glob("*.pos"):
        file.unlink()
    with contextlib.closing(open_index(f"tantivy://{written}", writer=True)) as index:
        with pytest.raises(IndexUnusable):
            ids(index, '"big rocks"')
        index.rebuild([document("c", "Big rocks")], position=3)
        assert ids(index, '"big rocks"') == ["c"]


@pytest.mark.parametrize("suffix", ["term", "idx", "fast", "store"])
def test_flipped_bits_never_raise_anything_else(written: Path, suffix: str) -> None:
    """Damage within a file may go unnoticed; what is noticed is told in one way."""
    (generation,) = _generations(written)
    (file,) = generation.glob(f"*.{suffix}")
    whole = file.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 40)):
        file.unlink()  # a file that is mapped into memory must not change under it
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with (
            contextlib.closing(open_index(f"tantivy://{written}", writer=False)) as index,
            contextlib.suppress(IndexUnusable),
        ):
            index.query(SearchQuery(text="rocks", limit=30))
            index.position()


def test_urls() -> None:
    for url in ("tantivy://host/path", "tantivy://", "tantivy:///", "elastic://x", "", "/var/lib/index"):
        with pytest.raises(ValueError, match="tantivy"):
            open_index(url, writer=False)


def test_opening_for_reading_makes_nothing(folder: Path, reader: SearchIndex) -> None:
    assert ids(reader, "rocks") == []
    assert not folder.exists()
