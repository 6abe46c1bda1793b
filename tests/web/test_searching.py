"""Home: search, facets, paging, and what is said when there is nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from repo_service.web import searching
from tests.support.backups import ActivitySpec, backup
from tests.support.service import Service, json_of, send_file
from tests.web.visitor import Visitor


@pytest.fixture
def courses(service: Service, tmp_path: Path) -> Service:
    """Two public courses: ecology with a quiz, music with a forum."""
    teacher = service.member()
    for name, title, activity, subject, language in (
        ("eco", "Introduction to Ecology", ActivitySpec(module="quiz", title="Food chains"), "0521", "en"),
        ("mus", "Musique ancienne", ActivitySpec(module="forum", title="Le luth"), "0215", "fr"),
    ):
        path = backup(tmp_path / f"{name}.mbz", fullname=title, activities=[activity], tags=[])
        send_file(teacher, path, licence="CC-BY-4.0", release=True, subjects=[subject], languages=[language])
    service.work()
    return service


def _titles(visitor: Visitor, url: str) -> list[str]:
    return [a.text_content() for a in visitor.get(url).all("//article//h3/a")]


def test_an_empty_repository_invites_to_share(service: Service) -> None:
    page = Visitor(service).get("/")
    assert "Nothing is shared yet" in page.text
    assert page.links()["Share a file"] == "/upload"


def test_a_search_shows_what_fits_with_the_words_marked(courses: Service) -> None:
    page = Visitor(courses).get("/?q=ecology")
    assert "1 resource for “ecology”" in page.text
    assert page.one("//article//h3//mark").text == "Ecology"
    facts = [li.text_content() for li in page.all("//article//ul[@class='facts']/li")]
    assert facts[0] == "Moodle course"
    assert {"English", "CC BY 4.0", "teacher"} <= set(facts)


def test_a_word_from_an_activity_finds_its_course(courses: Service) -> None:
    assert _titles(Visitor(courses), "/?q=luth") == ["Musique ancienne"]


def test_facets_are_links_that_narrow_and_widen(courses: Service) -> None:
    visitor = Visitor(courses)
    start = visitor.get("/")
    assert "2 resources" in start.text
    quiz = start.links()["Quiz 1 (1 resource)"]
    assert quiz == "/?module=quiz"
    narrowed = visitor.get(quiz)
    assert [a.text_content() for a in narrowed.all("//article//h3/a")] == ["Introduction to Ecology"]
    assert narrowed.form("/").fields["module"] == "quiz"  # a new search keeps the filter
    assert narrowed.links()["Forum 1 (1 resource)"] == "/?module=quiz&module=forum"
    assert narrowed.links()["Remove filter: Quiz \N{MULTIPLICATION SIGN}"] == "/"


def test_what_is_found_inside_a_file_is_shown(courses: Service) -> None:
    """A hit that shows none of the words looks like a mistake."""
    page = Visitor(courses).get("/?q=luth")
    assert page.one("//article//p[contains(@class, 'hit-inside')]").text_content() == "Inside: Le luth"
    assert page.one("//article//mark").text_content() == "luth"


def test_a_broader_subject_finds_its_parts(courses: Service) -> None:
    assert _titles(Visitor(courses), "/?subject=05") == ["Introduction to Ecology"]


def test_names_of_codes_are_in_the_language_of_the_visitor(courses: Service) -> None:
    page = Visitor(courses, language="it-CH,en;q=0.5").get("/")
    names = {span.text_content(): span.get("lang") for span in page.all("//details//span[@lang]")}
    assert names["francese"] == "it-CH"
    assert page.one("/html").get("lang") == "en"


def test_nothing_found_says_what_to_try(courses: Service) -> None:
    page = Visitor(courses).get("/?q=zygomorphic&language=fr")
    assert "Nothing fits" in page.text
    assert page.links()["Search without filters"] == "/?q=zygomorphic"
    assert page.links()["See everything, newest first"] == "/"


def test_next_page_leads_through_everything_once(courses: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "PAGE_SIZE", 1)
    visitor = Visitor(courses)
    first = visitor.get("/?language=en&language=fr")
    second = visitor.get(first.links()["Next page"])
    titles = [page.one("//article//h3/a").text_content() for page in (first, second)]
    assert titles == ["Musique ancienne", "Introduction to Ecology"]
    assert "Next page" not in second.links()
    assert second.links()["First page"] == "/?language=en&language=fr"


def test_a_cursor_from_elsewhere_leads_to_the_first_page(courses: Service) -> None:
    response = Visitor(courses).client.get("/?q=ecology&cursor=nonsense")
    assert response.status_code == 303
    assert response.location == "/?q=ecology"


@pytest.mark.parametrize("query", ["q=%00", "q=%22%28%2A", "module=%00", "language=" + "x" * 3000])
def test_odd_questions_are_answered(courses: Service, query: str) -> None:
    assert Visitor(courses).get(f"/?{query}").status == 200


def test_another_order_is_a_link_and_stays(courses: Service) -> None:
    visitor = Visitor(courses)
    both = "introduction OR ancienne"
    assert "Newest first" not in visitor.get(f"/?q={both}").links()  # nothing to put in order
    best = visitor.get("/?q=*&module=quiz&module=forum")
    newest = visitor.get(best.links()["Newest first"])
    assert newest.form("/").fields["sort"] == "newest"
    assert newest.links()["Best match"] == "/?q=*&module=quiz&module=forum"
    assert visitor.get("/?q=*&sort=nonsense").links()["Newest first"] == "/?q=*&sort=newest"


def test_suggestions_are_what_begins_so(courses: Service) -> None:
    def suggested(words: str) -> list[dict[str, str]]:
        answer = json_of(courses.client().get("/suggest", query_string={"q": words}))
        items: list[dict[str, str]] = answer["items"]
        return items

    (found,) = suggested("ecol")
    assert (found["title"], found["kind"], found["language"]) == (
        "Introduction to Ecology",
        "Moodle course",
        "en",
    )
    assert found["url"].startswith("/resources/")
    assert [item["title"] for item in suggested("introduction ecol")] == ["Introduction to Ecology"]
    for nothing in ("", "   ", "zygomorphic", "<script>", '"', "\x00"):
        assert suggested(nothing) == []
