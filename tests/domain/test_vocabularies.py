"""The code lists are whole, unambiguous, and found by every name they go by elsewhere."""

from __future__ import annotations

from collections import Counter

import pytest

from repo_service.domain.vocabularies import LEVELS, LICENCES, SUBJECTS, TYPES, Vocabulary, names, vocabulary


@pytest.fixture(params=names())
def any_vocabulary(request: pytest.FixtureRequest) -> Vocabulary:
    return vocabulary(request.param)


def test_says_where_it_comes_from(any_vocabulary: Vocabulary) -> None:
    assert any_vocabulary.source
    assert any_vocabulary.licence
    assert len(any_vocabulary.date) == len("2013-11-01")
    assert {"en", "de"} <= set(any_vocabulary.title)


def test_every_concept_has_english_and_german_labels(any_vocabulary: Vocabulary) -> None:
    for concept in any_vocabulary:
        assert {"en", "de"} <= set(concept.labels), concept.code
        assert all(label == label.strip() != "" for label in concept.labels.values()), concept.code


def test_no_name_means_two_things(any_vocabulary: Vocabulary) -> None:
    meant = Counter(
        identifier.casefold()
        for concept in any_vocabulary
        for identifier in {
            concept.code,
            *([concept.uri] if concept.uri else []),
            *(term for terms in concept.exact_match.values() for term in terms),
        }
    )
    # SPDX identifiers are the codes themselves; nothing else may repeat.
    assert [name for name, count in meant.items() if count > 1] == []


def test_every_name_finds_its_concept(any_vocabulary: Vocabulary) -> None:
    for concept in any_vocabulary:
        for name in (concept.code, concept.uri, *(t for ts in concept.exact_match.values() for t in ts)):
            if name is not None:
                assert any_vocabulary.get(name) is concept


def test_broader_concepts_exist_and_end_at_the_top(any_vocabulary: Vocabulary) -> None:
    codes = {concept.code for concept in any_vocabulary}
    for concept in any_vocabulary:
        path = any_vocabulary.with_ancestors(concept.code)
        assert set(path) <= codes
        assert len(set(path)) == len(path)


def test_subjects_are_those_of_isced_f() -> None:
    subjects = vocabulary(SUBJECTS)
    broad = [concept.code for concept in subjects if concept.broader is None]
    assert broad == ["00", "011", "02", "03", "04", "05", "061", "07", "08", "09", "10"]
    for name in (
        "0613",
        "F0613",
        "https://w3id.org/kim/isced-2013/n0613",
        "http://data.europa.eu/snb/isced-f/0613",
    ):
        concept = subjects.get(name)
        assert concept is not None
        assert concept.code == "0613"
    assert subjects.label("0613", "en") == "Software and applications development and analysis"
    assert subjects.with_ancestors("0613") == ("0613", "061")
    assert subjects.with_ancestors("0533") == ("0533", "053", "05")
    assert {concept.code for concept in subjects.narrower("053")} == {"0531", "0532", "0533"}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("06", "061"),
        ("F06", "061"),
        ("F0610", "061"),
        ("01", "011"),
        ("0421", "0421"),
        ("042", "0421"),
        ("F108", "1088"),
    ],
)
def test_subjects_of_other_grain_find_the_concept_that_stands_for_them(name: str, code: str) -> None:
    concept = vocabulary(SUBJECTS).get(name)
    assert concept is not None
    assert concept.code == code


def test_levels() -> None:
    levels = vocabulary(LEVELS)
    for name in ("level3", "3", "ED3", "https://w3id.org/kim/educationalLevel/level_3"):
        concept = levels.get(name)
        assert concept is not None
        assert concept.code == "level3"
    assert [concept.code for concept in levels.narrower("higher")] == ["level6", "level7", "level8"]
    adult = levels.get("ADT")
    assert adult is not None
    assert adult.in_scheme("moodlenet") == "ADT"


def test_types() -> None:
    types = vocabulary(TYPES)
    assert len(types) == 26
    assert types.label("lesson_plan", "fr-CA") == "Plan de cours"
    data_set = types.get("data-set")
    assert data_set is not None
    assert data_set.uri == "https://w3id.org/kim/hcrt/data"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("CC-BY-SA-4.0", "CC-BY-SA-4.0"),
        ("cc-by-sa-4.0", "CC-BY-SA-4.0"),
        ("cc-sa-4.0", "CC-BY-SA-4.0"),
        ("cc-sa", "CC-BY-SA-3.0"),
        ("cc-by-sa", "CC-BY-SA-4.0"),
        ("CC BY-SA 4.0", "CC-BY-SA-4.0"),
        ("http://creativecommons.org/licenses/by-sa/4.0", "CC-BY-SA-4.0"),
        ("https://creativecommons.org/licenses/by-sa/4.0/deed.de", "CC-BY-SA-4.0"),
        ("https://www.creativecommons.org/licenses/by-nc-nd/3.0/legalcode", "CC-BY-NC-ND-3.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("public", "public-domain"),
        ("allrightsreserved", "all-rights-reserved"),
        ("restricted-copyright", "all-rights-reserved"),
        ("unknown", "unknown"),
        ("other-open", "other-open"),
    ],
)
def test_licences_are_found_by_what_others_call_them(name: str, code: str) -> None:
    concept = vocabulary(LICENCES).get(name)
    assert concept is not None
    assert concept.code == code


def test_licences_are_sent_as_others_call_them() -> None:
    licences = vocabulary(LICENCES)
    names_there = {
        concept.code: (concept.in_scheme("moodle"), concept.in_scheme("moodlenet")) for concept in licences
    }
    assert names_there["CC-BY-NC-4.0"] == ("cc-nc-4.0", "cc-by-nc")
    assert names_there["CC-BY-NC-3.0"] == ("cc-nc", "cc-by-nc")
    assert names_there["CC0-1.0"] == ("public", "cc-0")
    assert all(moodle is not None and moodlenet is not None for moodle, moodlenet in names_there.values())


def test_what_nobody_knows_is_shown_as_it_is() -> None:
    licences = vocabulary(LICENCES)
    assert licences.get("made-up-licence") is None
    assert "made-up-licence" not in licences
    assert licences.label("made-up-licence", "de") == "made-up-licence"
    assert licences.with_ancestors("made-up-licence") == ("made-up-licence",)


def test_labels_fall_back_from_region_to_language_to_english() -> None:
    subjects = vocabulary(SUBJECTS)
    assert subjects.label("0533", "de-AT") == "Physik"
    assert subjects.label("0533", "xx") == "Physics"


def test_there_is_no_other_vocabulary() -> None:
    with pytest.raises(KeyError):
        vocabulary("../settings")
