"""What every search engine does, whatever it is made of. An engine's own test class derives from this one and
gives the ``url`` of a new, empty index.

Nothing here asks for more than a cluster engine can do: changes are seen after ``commit``, documents are
known by id, order and counts follow from documents alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from repo_service.domain.errors import InvalidCursor
from repo_service.domain.search import Facet, FacetCount, SearchDocument, SearchQuery, Sort
from repo_service.search.base import MAX_FACET_VALUES, SearchIndex
from repo_service.search.errors import IndexLocked, IndexReadOnly
from repo_service.search.registry import open_index

NEWEST = datetime(2026, 5, 1, 12, tzinfo=UTC)


def document(  # one resource; the fields that matter are given by the test
    id_: str,
    title: str = "",
    summary: str = "",
    body: str = "",
    *,
    language: str = "",
    age: int = 0,
    **facets: object,
) -> SearchDocument:
    """``age`` in days before NEWEST; facets by their value: ``subject="0533"`` or ``subject=("0533",
    "0541")``."""
    return SearchDocument(
        id=id_,
        title=title,
        summary=summary,
        body=body,
        languages=(language,) if language else (),
        facets={
            Facet(name): tuple(values) if isinstance(values, (tuple, list)) else (str(values),)
            for name, values in facets.items()
        },
        released_at=NEWEST - timedelta(days=age),
    )


def ids(index: SearchIndex, text: str = "", **filters: tuple[str, ...]) -> list[str]:
    """The ids of the first hits, in order."""
    query = SearchQuery(
        text=text, filters={Facet(name): values for name, values in filters.items()}, limit=100
    )
    return [hit.id for hit in index.query(query).hits]


def pages(index: SearchIndex, query: SearchQuery) -> Iterator[list[str]]:
    """Walk an answer page by page."""
    cursor: str | None = None
    while True:
        page = index.query(
            SearchQuery(
                text=query.text,
                filters=query.filters,
                facets=query.facets,
                sort=query.sort,
                limit=query.limit,
                cursor=cursor,
            )
        )
        yield [hit.id for hit in page.hits]
        cursor = page.next_cursor
        if cursor is None:
            return


class SearchIndexConformance:
    """The suite. ``writer`` is the index of ``url``, open for writing."""

    @pytest.fixture
    def writer(self, url: str) -> Iterator[SearchIndex]:
        index = open_index(url, writer=True)
        yield index
        index.close()

    @pytest.fixture
    def reader(self, url: str, writer: SearchIndex) -> Iterator[SearchIndex]:
        index = open_index(url, writer=False)
        yield index
        index.close()

    # ---- Content and commits

    def test_a_new_index_is_empty(self, reader: SearchIndex) -> None:
        page = reader.query(SearchQuery(text="anything", facets=(Facet.TYPE,)))
        assert page.hits == ()
        assert page.total == 0
        assert page.facets == {Facet.TYPE: ()}
        assert page.next_cursor is None
        assert ids(reader) == []
        assert reader.position() == 0

    def test_changes_are_seen_after_commit(self, writer: SearchIndex, reader: SearchIndex) -> None:
        writer.put([document("a", "Rocks")])
        assert ids(reader, "rocks") == []
        writer.commit(position=7)
        assert ids(reader, "rocks") == ["a"]
        assert ids(writer, "rocks") == ["a"]
        assert reader.position() == 7

    def test_put_replaces_by_id(self, writer: SearchIndex, reader: SearchIndex) -> None:
        writer.put([document("a", "Rocks", type="course"), document("b", "Rivers")])
        writer.commit(position=1)
        writer.put([document("a", "Stones", type="text")])
        writer.commit(position=2)
        assert ids(reader, "rocks") == []
        assert ids(reader, "stones") == ["a"]
        assert set(ids(reader)) == {"a", "b"}
        assert ids(reader, type=("course",)) == []

    def test_put_twice_before_a_commit_keeps_the_last(self, writer: SearchIndex) -> None:
        writer.put([document("a", "Rocks")])
        writer.put([document("a", "Stones"), document("a", "Pebbles")])
        writer.commit(position=1)
        assert ids(writer) == ["a"]
        assert ids(writer, "pebbles") == ["a"]

    def test_delete(self, writer: SearchIndex, reader: SearchIndex) -> None:
        writer.put([document("a", "Rocks"), document("b", "Rocks"), document("c-with-hyphens", "Rocks")])
        writer.commit(position=1)
        writer.delete(["a", "c-with-hyphens", "never seen"])
        writer.commit(position=2)
        assert ids(reader, "rocks") == ["b"]
        assert reader.query(SearchQuery()).total == 1

    def test_put_after_delete_and_delete_after_put(self, writer: SearchIndex) -> None:
        writer.put([document("a", "Rocks"), document("b", "Rocks")])
        writer.delete(["a", "b"])
        writer.put([document("a", "Rocks")])
        writer.commit(position=1)
        assert ids(writer) == ["a"]

    def test_the_position_goes_with_the_commit(self, url: str, writer: SearchIndex) -> None:
        writer.put([document("a", "Rocks")])
        writer.commit(position=41)
        writer.put([document("b", "Rocks")])
        assert writer.position() == 41
        writer.commit(position=2**53)
        assert writer.position() == 2**53
        # It is no document.
        assert writer.query(SearchQuery()).total == 2
        assert ids(writer, "position") == []

    def test_a_commit_may_change_nothing_but_the_position(self, writer: SearchIndex) -> None:
        writer.commit(position=5)
        assert writer.position() == 5
        assert writer.query(SearchQuery()).total == 0

    def test_rebuild_replaces_everything(self, writer: SearchIndex, reader: SearchIndex) -> None:
        writer.put([document("a", "Rocks"), document("b", "Rocks")])
        writer.commit(position=1)
        assert ids(reader) != []
        writer.put([document("forgotten", "Rocks")])
        writer.rebuild((document(id_, "Rivers") for id_ in "bc"), position=9)
        assert set(ids(reader)) == {"b", "c"}
        assert ids(reader, "rocks") == []
        assert reader.position() == 9
        writer.put([document("d", "Rivers")])
        writer.commit(position=10)
        assert set(ids(reader, "rivers")) == {"b", "c", "d"}

    def test_a_rebuild_that_fails_changes_nothing(self, writer: SearchIndex, reader: SearchIndex) -> None:
        writer.put([document("a", "Rocks")])
        writer.commit(position=1)

        def broken() -> Iterator[SearchDocument]:
            yield document("b", "Rivers")
            raise RuntimeError("the catalogue went away")

        with pytest.raises(RuntimeError, match="went away"):
            writer.rebuild(broken(), position=2)
        assert ids(reader) == ["a"]
        assert reader.position() == 1
        writer.put([document("c", "Rocks")])
        writer.commit(position=3)
        assert set(ids(reader, "rocks")) == {"a", "c"}

    def test_one_writer(self, url: str, writer: SearchIndex) -> None:
        with pytest.raises(IndexLocked):
            open_index(url, writer=True)
        writer.close()
        open_index(url, writer=True).close()

    def test_readers_do_not_write(self, reader: SearchIndex) -> None:
        with pytest.raises(IndexReadOnly):
            reader.put([document("a", "Rocks")])
        with pytest.raises(IndexReadOnly):
            reader.delete(["a"])
        with pytest.raises(IndexReadOnly):
            reader.commit(position=1)
        with pytest.raises(IndexReadOnly):
            reader.rebuild([], position=1)

    def test_what_was_committed_is_there_after_the_writer_ends(self, url: str, writer: SearchIndex) -> None:
        writer.put([document("a", "Rocks")])
        writer.commit(position=3)
        writer.put([document("b", "Rocks")])
        writer.close()
        with_next = open_index(url, writer=True)
        try:
            assert ids(with_next) == ["a"]
            assert with_next.position() == 3
        finally:
            with_next.close()

    # ---- The query language

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("photosynthesis", {"plants", "light"}),
            ("PHOTOsynthesis", {"plants", "light"}),
            ("photosynthesis plants", {"plants"}),
            ("plants photosynthesis", {"plants"}),
            ("photosynthesis dinosaurs", set()),
            ('"light reactions"', {"light"}),
            ('"reactions light"', set()),
            ("reactions light", {"light"}),
            ("“light reactions”", {"light"}),
            ('"light reactions', {"light"}),
            ('"light" "reactions"', {"light"}),
            ("photo*", {"plants", "light", "camera"}),
            ("photosynth*", {"plants", "light"}),
            ("PH*", {"plants", "light", "camera"}),
            ("p*", {"plants", "light", "camera", "code"}),
            ("photo* lenses", {"camera"}),
            ("xyzzy*", set()),
            ("c++", {"code"}),
            ("c#", set()),
            ("e-learning", {"code"}),
            ("version 3.5", {"code"}),
            ("", {"plants", "light", "camera", "code"}),
            ("   ", {"plants", "light", "camera", "code"}),
            ("*", {"plants", "light", "camera", "code"}),
            ("?!", set()),
        ],
    )
    def test_words_phrases_and_prefixes(self, writer: SearchIndex, text: str, found: set[str]) -> None:
        writer.put(
            [
                document("plants", "Photosynthesis", "How plants live", "Leaves", language="en"),
                document("light", "Energy", "Photosynthesis and its light reactions", language="en"),
                document("camera", "Photography", "", "Lenses and light", language="en"),
                document("code", "Programming in C++", "E-learning, version 3.5", language="en"),
            ]
        )
        writer.commit(position=1)
        assert set(ids(writer, text)) == found

    def test_phrases_stay_within_one_piece_of_text(self, writer: SearchIndex) -> None:
        writer.put([document("a", "Light and", "reactions of", "plants")])
        writer.commit(position=1)
        assert ids(writer, '"and reactions"') == []
        assert ids(writer, '"of plants"') == []
        assert ids(writer, '"light and"') == ["a"]
        assert ids(writer, "light reactions plants") == ["a"]

    def test_function_words_need_not_be_there(self, writer: SearchIndex) -> None:
        writer.put([document("a", "Photosynthese", language="de"), document("b", "Der Wald", language="de")])
        writer.commit(position=1)
        assert ids(writer, "die Photosynthese") == ["a"]
        assert ids(writer, "the") == []
        assert ids(writer, "der") == ["b"]
        assert ids(writer, '"der Photosynthese"') == []

    @pytest.mark.parametrize(
        ("language", "text", "typed"),
        [
            ("en", "Running schools", "run school"),
            ("en", "run a school", "running schools"),
            ("de", "Die Häuser der Städte", "haus stadt"),
            ("de-AT", "Aufgaben", "aufgabe"),
            ("fr", "Les études nationales", "étude nationale"),
            ("fr", "Les études", "etude"),
            ("es", "Las canciones", "canción"),
            ("it", "Le lezioni", "lezione"),
            ("pt-BR", "As aulas", "aula"),
            ("nl", "De boeken", "boek"),
            ("sv", "Böckerna och flickorna", "flickor"),
            ("nb", "Elevene", "elever"),
            ("fi", "Kirjoissa", "kirja"),
            ("pl", "Książki", "książka"),
            ("cs", "Knihy", "kniha"),
            ("ru", "Книги, математике", "книга математика"),
            ("ar", "كتابان", "كتاب"),
            ("tr", "Kitaplar", "kitap"),
            ("hu", "Könyvek", "könyv"),
        ],
    )
    def test_inflected_forms_are_found_in_every_language(
        self, writer: SearchIndex, language: str, text: str, typed: str
    ) -> None:
        writer.put(
            [document("a", text, language=language), document("other", "Something else", language="en")]
        )
        writer.commit(position=1)
        assert ids(writer, typed) == ["a"]

    def test_stems_of_one_language_do_not_leak_into_another(self, writer: SearchIndex) -> None:
        # In a text without a language words are what they are.
        writer.put([document("en", "Running", language="en"), document("und", "Running")])
        writer.commit(position=1)
        assert ids(writer, "run") == ["en"]
        assert set(ids(writer, "running")) == {"en", "und"}

    def test_foreign_words_in_a_text_are_found_as_they_are(self, writer: SearchIndex) -> None:
        writer.put([document("ru", "Введение в Python programming", language="ru")])
        writer.commit(position=1)
        assert ids(writer, "python") == ["ru"]
        assert ids(writer, "Programming введение") == ["ru"]

    @pytest.mark.parametrize(
        ("text", "typed"),
        [
            ("Élève à Łódź", "eleve lodz"),
            ("eleve lodz", "Élève Łódź"),
            ("Straße nach Ærø", "strasse aero"),
            ("E\u0301le\u0300ve", "élève"),
            ("l'eau et l\u2019été", "eau ete"),
            ("eau", "l'eau"),
            ("ΟΔΟΣ Άθήνα", "οδος αθηνα"),
            ("İstanbul", "istanbul"),
            ("ёлка", "елка"),
            ("\uff26\uff55\uff4c\uff4c \uff57\uff49\uff44\uff54\uff48", "full width"),
            ("H₂O", "h2o"),
            # Arabic: vowel signs, hamza, alef, ta marbuta, the stretch; Persian letters and digits.
            ("مُدَرِّسَة الأحيـــاء", "مدرسه الاحياء"),
            ("مدرسة الاحياء", "مُدَرِّسَة الأَحْيَاء"),
            ("کتاب ۱۲", "كتاب 12"),
            # Hebrew: points; letters at the end of a word.
            ("שָׁלוֹם עוֹלָם", "שלום עולם"),
            ("שלומי", "שלום*"),
            ("हिन्दी की किताब", "हिन्दी किताब"),
        ],
    )
    def test_accents_points_and_variants_of_writing(self, writer: SearchIndex, text: str, typed: str) -> None:
        writer.put([document("a", text), document("other", "Something else")])
        writer.commit(position=1)
        assert ids(writer, typed) == ["a"]

    @pytest.mark.parametrize(
        ("typed", "found"),
        [
            ("光合作用", {"zh"}),
            ("合作", {"zh", "cooperation"}),
            ("作用", {"zh"}),
            ("合用", set()),
            ("光", {"zh"}),
            ("用", {"zh"}),
            ("植物 光合", {"zh"}),
            ("プログラミング入門", {"ja"}),
            ("プログラム", set()),
            ("ﾌﾟﾛｸﾞﾗﾐﾝｸﾞ", {"ja"}),
            ("Python入門", {"ja"}),
            ("Python 入門", {"ja"}),
            ('"入門 Python"', {"ja"}),
            ("학교", {"ko"}),
            ("학교에서 배우는", {"ko"}),
            ("ภาษา", {"th"}),
        ],
    )
    def test_scripts_without_spaces(self, writer: SearchIndex, typed: str, found: set[str]) -> None:
        writer.put(
            [
                document("zh", "植物的光合作用", language="zh"),
                document("cooperation", "国际合作", language="zh"),
                document("ja", "プログラミング入門 Python", language="ja"),
                document("ko", "학교에서 배우는 수학", language="ko"),
                document("th", "เรียนภาษาไทย", language="th"),
            ]
        )
        writer.commit(position=1)
        assert set(ids(writer, typed)) == found

    # ---- Typing mistakes

    @pytest.mark.parametrize(
        ("typed", "found"),
        [
            ("photosyntesis", True),
            ("fotosynthesis", True),
            ("photosynhtesis", True),
            ("photosinthezis", True),
            ("fotosintesiz", False),
            ("plamts", True),
            ("palnts", True),
            ("plmts", False),
            ("cta", False),
            ("photosyntesis plamts", True),
            ("photosyntesis dinosaurs", False),
            ('"photosyntesis"', False),
            ("photosyntes*", False),
        ],
    )
    def test_typing_mistakes(self, writer: SearchIndex, typed: str, found: bool) -> None:
        writer.put([document("a", "Photosynthesis of plants", "A cat", language="en")])
        writer.commit(position=1)
        assert ids(writer, typed) == (["a"] if found else [])

    def test_what_was_typed_comes_before_what_may_have_been_meant(self, writer: SearchIndex) -> None:
        writer.put(
            [
                document("meant", "Forest", age=0),
                document("typed", "Something", "", "about a forrest", age=90),
                document("meant, in the summary", "Trees", "of the forest", age=0),
            ]
        )
        writer.commit(position=1)
        assert ids(writer, "forrest") == ["typed", "meant", "meant, in the summary"]
        scores = [hit.score for hit in writer.query(SearchQuery(text="forrest")).hits]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] > scores[1] > scores[2] > 0

    def test_words_that_are_often_there_are_meant_as_they_are(self, writer: SearchIndex) -> None:
        writer.put([document(f"night {number}", "Night", language="en") for number in range(5)])
        writer.put([document("light", "Light", language="en")])
        writer.commit(position=1)
        assert "light" not in ids(writer, "night")
        writer.delete(["night 0"])
        writer.commit(position=2)
        assert ids(writer, "night")[-1] == "light"

    # ---- Order

    def test_title_before_summary_before_the_rest_and_then_the_newest(self, writer: SearchIndex) -> None:
        writer.put(
            [
                document("body, new", "Maths", "Numbers", "rocks", age=1),
                document("body, old", "Maths", "Numbers", "rocks", age=9),
                document("summary, new", "Maths", "Rocks", age=2),
                document("summary, old", "Maths", "Rocks", age=3),
                document("title, new", "Rocks", age=4),
                document("title, old", "All about rocks", "rocks and rocks", "rocks", age=5),
            ]
        )
        writer.commit(position=1)
        assert ids(writer, "rocks") == [
            "title, new",
            "title, old",
            "summary, new",
            "summary, old",
            "body, new",
            "body, old",
        ]

    def test_more_words_in_the_title_come_first(self, writer: SearchIndex) -> None:
        writer.put(
            [
                document("none", "Nature", "Rocks", "rivers", age=0),
                document("one and summary", "Rocks", "Rivers", age=0),
                document("one", "Rocks", "", "rivers", age=0),
                document("both", "Rocks and rivers", age=9),
            ]
        )
        writer.commit(position=1)
        assert ids(writer, "rocks rivers") == ["both", "one and summary", "one", "none"]
        assert ids(writer, '"rocks" riv*') == ["both", "one and summary", "one", "none"]

    def test_long_queries_have_an_order_too(self, writer: SearchIndex) -> None:
        words = "alpha bravo charlie delta echo foxtrot golf hotel"
        writer.put(
            [
                document("body", "", "", words, age=0),
                document("title", words, age=9),
                document("summary", "", words, age=5),
            ]
        )
        writer.commit(position=1)
        assert ids(writer, words) == ["title", "summary", "body"]

    def test_without_text_the_newest_come_first(self, writer: SearchIndex) -> None:
        writer.put([document(str(age), "Rocks", age=age) for age in (3, 1, 2, 20_000, 0)])
        writer.commit(position=1)
        assert ids(writer) == ["0", "1", "2", "3", "20000"]

    # ---- Filters and facets

    @pytest.fixture
    def shelves(self, writer: SearchIndex) -> SearchIndex:
        writer.put(
            [
                document("a", "Rocks", type="course", subject=("0532", "053"), licence="CC-BY-4.0", age=1),
                document("b", "Rocks", type="course", subject="0533", licence="CC0-1.0", age=2),
                document("c", "Rocks", type="text", subject="0533", licence="CC-BY-4.0", age=3),
                document("d", "Rivers", type="video", subject="0532", age=4),
                document("e", "Rivers", age=5),
            ]
        )
        writer.commit(position=1)
        return writer

    def test_values_of_one_facet_are_alternatives_and_facets_add_up(self, shelves: SearchIndex) -> None:
        assert ids(shelves, type=("course",)) == ["a", "b"]
        assert ids(shelves, type=("course", "text")) == ["a", "b", "c"]
        assert ids(shelves, type=("course", "text"), subject=("0533",)) == ["b", "c"]
        assert ids(shelves, "rivers", type=("course",)) == []
        assert ids(shelves, "rocks", licence=("CC-BY-4.0",)) == ["a", "c"]
        assert ids(shelves, type=("none such",)) == []
        assert ids(shelves, type=()) == ["a", "b", "c", "d", "e"]
        # Values are codes, not text: they are wanted whole and as they are.
        assert ids(shelves, licence=("cc-by-4.0",)) == []
        assert ids(shelves, subject=("053",)) == ["a"]

    def test_facets_are_counted_over_all_matches(self, shelves: SearchIndex) -> None:
        page = shelves.query(SearchQuery(text="rocks", facets=(Facet.TYPE, Facet.SUBJECT), limit=1))
        assert page.total == 3
        assert len(page.hits) == 1
        assert page.facets == {
            Facet.TYPE: (FacetCount(value="course", count=2), FacetCount(value="text", count=1)),
            Facet.SUBJECT: (
                FacetCount(value="0533", count=2),
                FacetCount(value="053", count=1),
                FacetCount(value="0532", count=1),
            ),
        }

    def test_a_filtered_facet_is_counted_without_its_own_filter(self, shelves: SearchIndex) -> None:
        page = shelves.query(
            SearchQuery(
                filters={Facet.TYPE: ("course",), Facet.SUBJECT: ("0533",)},
                facets=(Facet.TYPE, Facet.SUBJECT, Facet.LICENCE),
            )
        )
        assert [hit.id for hit in page.hits] == ["b"]
        assert page.total == 1
        assert page.facets[Facet.TYPE] == (
            FacetCount(value="course", count=1),
            FacetCount(value="text", count=1),
        )
        assert {(count.value, count.count) for count in page.facets[Facet.SUBJECT]} == {
            ("0532", 1),
            ("053", 1),
            ("0533", 1),
        }
        assert page.facets[Facet.LICENCE] == (FacetCount(value="CC0-1.0", count=1),)

    def test_facets_count_what_is_there_after_changes(self, shelves: SearchIndex) -> None:
        shelves.delete(["a"])
        shelves.put([document("b", "Rocks", type="video")])
        shelves.commit(position=2)
        page = shelves.query(SearchQuery(facets=(Facet.TYPE,)))
        assert page.facets[Facet.TYPE] == (
            FacetCount(value="video", count=2),
            FacetCount(value="text", count=1),
        )

    def test_no_facets_without_asking(self, shelves: SearchIndex) -> None:
        assert shelves.query(SearchQuery()).facets == {}

    def test_a_facet_counts_its_most_frequent_values_only(self, writer: SearchIndex) -> None:
        many = [f"module-{number:03d}" for number in range(MAX_FACET_VALUES + 20)]
        writer.put([document("a", module=tuple(many)), document("b", module=many[-1])])
        writer.commit(position=1)
        counts = writer.query(SearchQuery(facets=(Facet.MODULE,))).facets[Facet.MODULE]
        assert len(counts) == MAX_FACET_VALUES
        assert counts[0] == FacetCount(value=many[-1], count=2)
        assert [count.value for count in counts[1:]] == many[: MAX_FACET_VALUES - 1]

    # ---- Paging

    @pytest.mark.parametrize("text", ["", "rocks", '"rocks"', "roc*", "rocsk"])
    def test_pages_are_parts_of_one_list(self, writer: SearchIndex, text: str) -> None:
        writer.put([document(f"title {n}", "Rocks", age=n % 3) for n in range(11)])
        writer.put([document(f"summary {n}", "Maths", "Rocks", age=n % 3) for n in range(11)])
        writer.commit(position=1)
        whole = ids(writer, text)
        assert len(whole) == 22
        for limit in (1, 4, 11, 21, 22, 23):
            walked = list(pages(writer, SearchQuery(text=text, limit=limit)))
            assert list(itertools.chain(*walked)) == whole
            assert all(len(page) == limit for page in walked[:-1])
            assert walked[-1]

    @pytest.mark.parametrize("text", ["", "rocks", '"rocks"', "rocsk"])
    def test_newest_first_however_well_it_fits(self, writer: SearchIndex, text: str) -> None:
        """A walk is one list, and equals the one of a query without words."""
        writer.put([document(f"title {n}", "Rocks", age=2 * n) for n in range(9)])
        writer.put([document(f"body {n}", "Maths", body="Rocks", age=2 * n + 1) for n in range(9)])
        writer.commit(position=1)
        for limit in (1, 4, 17, 18, 19):
            walked = list(pages(writer, SearchQuery(text=text, sort=Sort.NEWEST, limit=limit)))
            expected = [f"{kind} {n}" for n in range(9) for kind in ("title", "body")]
            assert list(itertools.chain(*walked)) == expected

    def test_a_cursor_belongs_to_its_order(self, shelves: SearchIndex) -> None:
        cursor = shelves.query(SearchQuery(text="rocks", limit=1)).next_cursor
        with pytest.raises(InvalidCursor):
            shelves.query(SearchQuery(text="rocks", sort=Sort.NEWEST, cursor=cursor))

    def test_no_page_of_nothing(self, shelves: SearchIndex) -> None:
        page = shelves.query(SearchQuery(limit=0, facets=(Facet.TYPE,)))
        assert page.hits == ()
        assert page.total == 5
        assert page.next_cursor is None
        assert len(page.facets[Facet.TYPE]) == 3

    def test_a_walk_survives_re_indexing_and_changes(self, writer: SearchIndex, reader: SearchIndex) -> None:
        """Six hundred documents of equal score; between the pages the index is rebuilt in another order,
        others come and go."""
        stay = [document(f"stay {number:03d}", "Rocks", "of one day") for number in range(600)]
        leave = [document(f"leave {number:03d}", "Rocks", age=-1) for number in range(100)]
        writer.rebuild([*stay, *leave], position=1)
        walked: list[str] = []
        for turn, page in enumerate(pages(reader, SearchQuery(text="rocks", limit=37))):
            walked.extend(page)
            arrive = [document(f"arrive {turn} {number}", "Rocks", age=number - 5) for number in range(10)]
            match turn % 3:
                case 0:
                    writer.rebuild([*arrive, *reversed(stay)], position=turn + 2)
                case 1:
                    writer.put(arrive)
                    writer.delete(doc.id for doc in leave)
                    writer.commit(position=turn + 2)
                case 2:
                    half = len(stay) // 2
                    writer.rebuild([*stay[half:], *stay[:half]], position=turn + 2)
        assert len(walked) == len(set(walked))
        assert {doc.id for doc in stay} <= set(walked)

    def test_thousands_of_the_same_moment(self, writer: SearchIndex) -> None:
        """So many that some of them agree in every number that an engine may sort by: the id decides."""
        writer.put([document(f"{number}", "Rocks") for number in range(4_000)])
        writer.commit(position=1)
        walked = list(itertools.chain(*pages(writer, SearchQuery(text="rocks", limit=97))))
        assert len(walked) == len(set(walked)) == 4_000

    def test_facets_and_total_are_the_same_on_every_page(self, shelves: SearchIndex) -> None:
        first = shelves.query(SearchQuery(text="rocks", facets=(Facet.TYPE,), limit=2))
        second = shelves.query(
            SearchQuery(text="rocks", facets=(Facet.TYPE,), limit=2, cursor=first.next_cursor)
        )
        assert second.facets == first.facets
        assert second.total == first.total == 3

    def test_a_cursor_belongs_to_its_question(self, shelves: SearchIndex) -> None:
        cursor = shelves.query(
            SearchQuery(text="rocks", filters={Facet.TYPE: ("course", "text")}, limit=1)
        ).next_cursor
        assert cursor is not None
        # The same question may be asked for pages of another size and for other facets.
        again = SearchQuery(
            text="rocks",
            filters={Facet.TYPE: ("text", "course"), Facet.LEVEL: ()},
            facets=(Facet.LICENCE,),
            limit=5,
            cursor=cursor,
        )
        assert [hit.id for hit in shelves.query(again).hits] == ["b", "c"]
        for other in (
            SearchQuery(text="rivers", filters={Facet.TYPE: ("course", "text")}, cursor=cursor),
            SearchQuery(text="rocks", filters={Facet.TYPE: ("course",)}, cursor=cursor),
            SearchQuery(text="rocks", cursor=cursor),
        ):
            with pytest.raises(InvalidCursor):
                shelves.query(other)

    def test_made_up_cursors_are_refused(self, shelves: SearchIndex) -> None:
        cursor = shelves.query(SearchQuery(text="rocks", limit=1)).next_cursor
        assert cursor is not None
        for place in range(0, len(cursor), 5):
            other = "A" if cursor[place] != "A" else "B"
            with pytest.raises(InvalidCursor):
                shelves.query(SearchQuery(text="rocks", cursor=cursor[:place] + other + cursor[place + 1 :]))
        for odd in (
            "",
            "x",
            "é",
            "\ud800",
            cursor[:-1],
            cursor + "A",
            cursor + "=",
            " " + cursor,
            "A" * 100_000,
        ):
            with pytest.raises(InvalidCursor):
                shelves.query(SearchQuery(text="rocks", cursor=odd))

    # ---- Odd input

    _odd = st.one_of(
        st.text(max_size=80),
        st.text(alphabet="ab*\"+#-:()[]{}^~\\/!&|<>=?.'\u2019\u201c\u201d \x00\n\ud800光א", max_size=40),
    )

    @given(text=_odd, value=st.text(max_size=20), title=_odd)
    @example(text='"', value="", title="*")
    @example(text="a:b AND (c OR -d) [1 TO 2] ^3 ~2", value="/a", title="\x00")
    @example(text="\ud800*", value="\ud800", title="\ud800")
    @example(text="ﷺ*", value="ﷺ", title="ﷺ")
    @example(text="a" * 5_000 + "*", value="a" * 70_000, title="a" * 70_000)
    @example(text="word " * 500, value="", title="")
    @settings(
        max_examples=100,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    def test_nothing_that_is_typed_is_an_error(
        self, writer: SearchIndex, text: str, value: str, title: str
    ) -> None:
        writer.put([document("a", title, text, title, language="en")])
        writer.commit(position=1)
        page = writer.query(
            SearchQuery(text=text, filters={Facet.TYPE: (value,)}, facets=(Facet.TYPE, Facet.LEVEL))
        )
        assert page.total == len(page.hits)
        marked = writer.highlight(text, {"title": title, "summary": text}, length=30)
        for mark in marked.values():
            assert all(0 <= start < end <= len(mark.text) for start, end in mark.spans)

    @given(words=st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=5))
    @settings(
        max_examples=100,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    def test_a_text_finds_itself(self, writer: SearchIndex, words: list[str]) -> None:
        """Whatever can be searched for in a title finds that title."""
        title = " ".join(words)
        languages = ("", "en", "de", "ru", "ar")
        writer.put([document(language, title, language=language) for language in languages])
        writer.commit(position=1)
        bare = title.replace('"', " ").replace("*", " ")
        holds_words = any(character.isalnum() for character in bare)
        assert set(ids(writer, bare)) == set(languages) or not holds_words

    # ---- Highlighting

    def test_highlight(self, writer: SearchIndex) -> None:
        def marked(text: str, value: str) -> str:
            mark = writer.highlight(text, {"x": value})["x"]
            shown = mark.text
            for start, end in reversed(mark.spans):
                shown = f"{shown[:start]}[{shown[start:end]}]{shown[end:]}"
            return shown

        assert marked("rocks", "Rocks and stones") == "[Rocks] and stones"
        assert marked("rock", "Rocks and rock") == "[Rocks] and [rock]"
        assert marked("eleve", "Les élèves à l'école") == "Les [élèves] à l'école"
        assert marked("ecole", "à l'École") == "à l'[École]"
        assert marked("photo*", "Photosynthesis, photo") == "[Photosynthesis], [photo]"
        assert marked('"light reactions"', "Light, light reactions") == "Light, [light reactions]"
        assert marked("光合", "植物的光合作用") == "植物的[光合]作用"
        assert marked("作用", "植物的光合作用") == "植物的光合[作用]"
        assert marked("用", "植物的光合作用") == "植物的光合作[用]"
        assert marked("שלום", "אמר שָׁלוֹם לכל") == "אמר [שָׁלוֹם] לכל"
        assert marked("photosyntesis", "Photosynthesis") == "[Photosynthesis]"
        assert marked("the rocks", "the rocks") == "the [rocks]"
        assert marked("nothing", "Rocks and stones") == "Rocks and stones"
        assert marked("", "Rocks and stones") == "Rocks and stones"
        assert marked("<b>", "<b>bold</b>") == "<[b]>bold</[b]>"

    def test_highlight_cuts_the_best_fragment(self, writer: SearchIndex) -> None:
        filler = "Lorem ipsum dolor sit amet consectetur adipiscing elit. "
        text = filler * 20 + "Here the rocks meet the rivers of the valley. " + filler * 20
        mark = writer.highlight("rocks rivers", {"body": text, "title": "Rivers"}, length=100)
        assert [mark["body"].text[start:end] for start, end in mark["body"].spans] == ["rocks", "rivers"]
        assert len(mark["body"].text) <= 102
        assert mark["body"].text.startswith("…")
        assert mark["body"].text.endswith("…")
        assert mark["title"].text == "Rivers"
        assert mark["title"].spans == ((0, 6),)
        beginning = writer.highlight("valley", {"other": filler * 20}, length=60)["other"]
        assert beginning.text.startswith("Lorem ipsum")
        assert beginning.spans == ()
