"""A course backup made in code that holds learners' data and keys, of which none may be in its clean copy."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from tests.support.backups import ActivitySpec, Container, members, write_targz, write_zip

LEARNERS = (
    b"Ngozi Adichie-Brandt",
    b"ngozi.private@pupils.example",
    b"nadichie7",
    b"My essay is about my family.",
    b"essay-of-ngozi.txt",
    b"Ngozi, well done",
    b"203.0.113.77",
)
"""What learners left."""

SECRETS = (
    b"SELF-KEY-oak",
    b"GUEST-PASS-elm",
    b"welcome@school.example",
    b"GROUP-KEY-ash",
    b"QUIZ-PASS-fir",
    b"badges@school.example",
)
"""What Moodle packs even without users."""

TEACHER = "Ada Lehrer"
_NULL = "$@NULL@$"
_TEACHING = b"grass, hare, fox\n"
_ESSAY = b"My essay is about my family. (Ngozi)\n"


def private_members(
    *, users: bool = True, secrets: bool = True, title: str = "Food webs", author: str = TEACHER
) -> dict[str, bytes]:
    """Name -> content; without users it is what Moodle writes then, with or without keys.

    ``title`` is that of the page in it, ``author`` whom its file names.
    """
    made = members(
        activities=[
            ActivitySpec(module="page", title=title, files=[("foodweb.txt", _TEACHING)]),
            ActivitySpec(module="quiz", title="Quiz on rivers"),
            ActivitySpec(module="assign", title="Essay"),
        ],
        summary=f"<p>Taught by {TEACHER}.</p>",
        users=int(users),
    )
    key = _keys() if secrets else dict.fromkeys(_keys(), "")
    made.update({name: _xml(text) for name, text in _texts(key, users=users).items()})
    made["files.xml"] = _xml(f"<files>{''.join(_files(author, users=users))}</files>")
    if users:
        digest = hashlib.sha1(_ESSAY).hexdigest()
        made[f"files/{digest[:2]}/{digest}"] = _ESSAY
        made["users.xml"] = _xml(_USERS)
        made["course/logs.xml"] = _xml(_LOGS)
        made["activities/quiz_101/comments.xml"] = _xml(
            '<comments><comment id="1"><content>Ngozi, well done</content><userid>7</userid></comment>'
            "</comments>"
        )
    manifest = made.pop("moodle_backup.xml").decode()
    made["moodle_backup.xml"] = manifest.replace(
        "</settings>",
        "".join(
            f"<setting><level>{level}</level><name>{name}</name><value>{int(users)}</value></setting>"
            for level, name in (("root", "role_assignments"), ("activity", "quiz_101_userinfo"))
        )
        + "</settings>",
    ).encode()
    return made


def private_backup(
    path: Path, *, container: Container = "tgz", users: bool = True, secrets: bool = True
) -> Path:
    """Write it to ``path`` and return that."""
    made = private_members(users=users, secrets=secrets)
    return write_zip(path, made) if container == "zip" else write_targz(path, made)


def _keys() -> dict[str, str]:
    return {
        "self": "SELF-KEY-oak",
        "guest": "GUEST-PASS-elm",
        "message": "Write to welcome@school.example",
        "group": "GROUP-KEY-ash",
        "quiz": "QUIZ-PASS-fir",
        "badge": "badges@school.example",
    }


def _texts(key: dict[str, str], *, users: bool) -> dict[str, str]:
    def only(text: str) -> str:
        return text if users else ""

    attempt = (
        '<attempt id="1"><userid>7</userid><question_usage id="1"><question_attempts>'
        "<responsesummary>My essay is about my family.</responsesummary></question_attempts></question_usage>"
        "</attempt>"
    )
    settings = base64.b64encode(f'O:8:"stdClass":1:{{s:4:"text";s:22:"Ask {TEACHER} (office)";}}'.encode())
    return {
        "course/enrolments.xml": (
            '<enrolments><enrols><enrol id="1"><enrol>self</enrol><status>0</status>'
            f"<password>{key['self'] or _NULL}</password><roleid>5</roleid>"
            f"<customtext1>{key['message'] or _NULL}</customtext1><user_enrolments>"
            + only('<enrolment id="1"><userid>7</userid></enrolment>')
            + '</user_enrolments></enrol><enrol id="2"><enrol>guest</enrol><status>0</status>'
            f"<password>{key['guest']}</password><roleid>0</roleid><user_enrolments></user_enrolments></enrol>"
            "</enrols></enrolments>"
        ),
        "course/roles.xml": (
            "<roles><role_overrides></role_overrides><role_assignments>"
            + only('<assignment id="1"><roleid>9</roleid><userid>7</userid></assignment>')
            + "</role_assignments></roles>"
        ),
        "course/blocks/html_60/block.xml": (
            '<block id="60" version="1"><blockname>html</blockname>'
            f"<configdata>{settings.decode()}</configdata></block>"
        ),
        "groups.xml": (
            f'<groups><group id="1"><name>A</name><enrolmentkey>{key["group"]}</enrolmentkey><group_members>'
            + only('<group_member id="1"><userid>7</userid></group_member>')
            + "</group_members></group></groups>"
        ),
        "badges.xml": (
            f'<badges><badge id="1"><issuercontact>{key["badge"]}</issuercontact><usercreated>3</usercreated>'
            "</badge></badges>"
        ),
        "roles.xml": (
            '<roles_definition><role id="5"><shortname>student</shortname></role>'
            + only('<role id="9"><shortname>schoolassistant</shortname></role>')
            + "</roles_definition>"
        ),
        "activities/quiz_101/quiz.xml": (
            '<activity id="501" moduleid="101" modulename="quiz" contextid="901"><quiz id="501">'
            f"<name>Quiz on rivers</name><intro></intro><password>{key['quiz']}</password><attempts>"
            f"{only(attempt)}</attempts></quiz></activity>"
        ),
        "activities/assign_102/assign.xml": (
            '<activity id="502" moduleid="102" modulename="assign" contextid="902"><assign id="502">'
            "<name>Essay</name><intro></intro><submissions>"
            + only('<submission id="3"><userid>7</userid><text>My essay is about my family.</text>')
            + only("</submission>")
            + "</submissions></assign></activity>"
        ),
        "activities/assign_102/inforef.xml": (
            "<inforef>"
            + only("<userref><user><id>7</id></user></userref>")
            + only("<fileref><file><id>3</id></file></fileref>")
            + "</inforef>"
        ),
        "activities/page_100/inforef.xml": (
            "<inforef><fileref><file><id>1</id></file></fileref></inforef>"
        ),
    }  # fmt: skip


_LOGS = '<logs><log id="1"><userid>7</userid><ip>203.0.113.77</ip></log></logs>'
_USERS = (
    '<users><user id="7" contextid="70"><username>nadichie7</username>'
    "<email>ngozi.private@pupils.example</email><firstname>Ngozi</firstname><lastname>Adichie-Brandt</lastname><lastip>203.0.113.77</lastip></user></users>"
)


def _files(author: str, *, users: bool) -> list[str]:
    page = {"contextid": 900, "component": "mod_page", "filearea": "content", "itemid": 0}
    made = [_file(1, page, "foodweb.txt", _TEACHING, author=author)]
    if users:
        essay = {"contextid": 902, "component": "assignsubmission_file", "filearea": "submission_files"}
        name = "essay-of-ngozi.txt"
        made.append(_file(3, {**essay, "itemid": 3}, name, _ESSAY, author="Ngozi Adichie-Brandt"))
    return made


def _file(id_: int, area: Mapping[str, object], name: str, content: bytes, *, author: str) -> str:
    fields = {
        "contenthash": hashlib.sha1(content).hexdigest(),
        **area,
        "filepath": "/",
        "filename": name,
        "userid": 7,
        "filesize": len(content),
        "mimetype": "text/plain",
        "source": name,
        "author": author,
        "license": "cc-4.0",
    }
    inside = "".join(f"<{tag}>{escape(str(value))}</{tag}>" for tag, value in fields.items())
    return f'<file id="{id_}">{inside}</file>'


def _xml(text: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
