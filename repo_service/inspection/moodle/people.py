"""Where persons and secrets stand in a Moodle backup, and what a backup without them has there instead.

The one table behind what an inspection reports and what a clean copy takes out. Its source is what Moodle
itself leaves out of a backup without users (``$userinfo`` in ``backup/moodle2/backup_stepslib.php`` and in
``backup_*_stepslib.php`` of each activity, 2.0 to 5.x), and the keys, passwords, contacts and numbers of
users that it writes even then.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from xml.sax.saxutils import escape

from repo_service.inspection.moodle.names import is_restorable, restorable
from repo_service.inspection.moodle.plugins import is_core
from repo_service.inspection.moodle.redaction import NO_RULES, Blank, Drop, Node, Row, Rule, rule_tree

UNKNOWN_PERSON = "unknown-person"
"""The code of a number of a user where this table knows of none."""

USER_IDS = "user-ids"

_ADDRESS = re.compile(r"[^\s@<>\"']{1,64}@[^\s@<>\"']{1,255}")


def has_address(text: str) -> bool:
    """Whether something like an e-mail address stands in the text."""
    return "@" in text and _ADDRESS.search(text) is not None


def _given_id(text: str) -> bool:
    return text != "0"


def _renewed(text: str) -> bytes:
    """A password nobody knows yet, the same each time."""
    return b"renewed-" + hashlib.sha256(f"renewed {text}".encode()).hexdigest()[:16].encode()


def _is_old(text: str) -> bool:
    return re.fullmatch("renewed-[0-9a-f]{16}", text) is None


_ID = Blank(USER_IDS, only=_given_id)
_PASSWORD = {"quiz": Blank("quiz-password", b""), "lesson": Blank("lesson-password", b"")}
_CREDENTIAL = Blank("tool-credentials")

EVERYWHERE: Mapping[str, Blank] = {
    tag: Blank(UNKNOWN_PERSON, only=_given_id)
    for tag in (
        "userid",
        "usermodified",
        "usercreated",
        "createdby",
        "modifiedby",
        "modifierid",
        "ownerid",
        "authorid",
        "reviewerid",
        "recipientid",
        "issuerid",
        "raterid",
        "grader",
        "loggeduser",
        "realuserid",
        "relateduserid",
        "useridfrom",
        "useridto",
        "teacherid",
        "studentid",
        "username",
        "email",
        "lastip",
    )
}
"""Elements that tell of a person wherever they stand. Without users they are left-over numbers, in a backup
with users they give away data that nobody judged."""

_GRADES: Mapping[str, Rule] = {
    "activity_gradebook/grade_items/grade_item/grade_grades/grade_grade": Drop("grades"),
}
_HISTORY = {"grade_history/grade_grades/grade_grade": Drop("grade-history")}
_ROLES: Mapping[str, Rule] = {
    "roles_definition/role": Row("role", frozenset()),
    "roles/role_assignments/assignment": Drop("role-assignments"),
    "roles/role_overrides/override/modifierid": _ID,
}
_COMMENTS = {"comments/comment": Drop("comments")}
_LOGS = {"logs/log": Drop("logs")}
_LOGSTORES = {"logstores/logstore/*/*": Drop("logs")}
_EVENTS = {"events/event": Row("event", frozenset({"courseid", "userid", "eventtype"}))}
_OVERRIDE = Row("override", frozenset({"userid"}))
_QUESTION = "question_categories/question_category/question_bank_entries/question_bank_entry"
_QUESTION_VERSION = f"{_QUESTION}/question_version/question_versions/questions/question"
_QUESTION_BEFORE_4 = "question_categories/question_category/questions/question"

_NAME = Blank(
    "unrestorable-name",
    only=lambda text: not is_restorable(text),
    renew=lambda text: escape(restorable(text)).encode(),
)
_REFERENCE = frozenset({"id"})

_MEMBERS: Mapping[str, Mapping[str, Rule]] = {
    # The root of the archive
    "moodle_backup.xml": {
        "moodle_backup/information/original_course_fullname": _NAME,
        "moodle_backup/information/original_course_shortname": _NAME,
        "moodle_backup/information/settings/setting": Row("setting", frozenset({"name", "value"})),
    },
    "users.xml": {"users/user": Row("user", frozenset({"username", "email", "firstname", "lastname"}))},
    "files.xml": {
        "files/file": Row(
            "file",
            frozenset({"contenthash", "component", "filearea", "itemid", "filename", "userid", "author"}),
        )
    },
    "groups.xml": {
        "groups/group/enrolmentkey": Blank("group-key"),
        "groups/group/group_members/group_member": Drop("group-members"),
    },
    "badges.xml": {
        "badges/badge/issuercontact": Blank("badge-contact"),
        "badges/badge/imageauthoremail": Blank("badge-contact"),
        "badges/badge/endorsement/issueremail": Blank("badge-contact"),
        "badges/badge/usercreated": _ID,
        "badges/badge/usermodified": _ID,
        "badges/badge/manual_awards/manual_award": Drop("awards"),
    },
    "questions.xml": {
        f"{_QUESTION}/ownerid": _ID,
        f"{_QUESTION_VERSION}/createdby": _ID,
        f"{_QUESTION_VERSION}/modifiedby": _ID,
        f"{_QUESTION_VERSION}/plugin_qbank_comment_question/comments/comment": Drop("comments"),
        f"{_QUESTION_BEFORE_4}/createdby": _ID,
        f"{_QUESTION_BEFORE_4}/modifiedby": _ID,
    },
    "gradebook.xml": {
        "gradebook/grade_items/grade_item/grade_grades/grade_grade": Drop("grades"),
    },
    "completion.xml": {
        "course_completion/course_completion_criteria/course_completion_crit_completions"
        "/course_completion_crit_compl": Drop("completion"),
        "course_completion/course_completions": Drop("completion"),
        "course_completion/course_completion_notify": Drop("completion"),
        # An activity's file has the same name.
        "completions/completion": Drop("completion"),
        "completions/completionviews/completionview": Drop("completion"),
        "completions/completionview": Drop("completion"),
    },
    "scales.xml": {"scales_definition/scale/userid": _ID},
    "outcomes.xml": {
        "outcomes_definition/outcome/userid": _ID,
        "outcomes_definition/outcome/usermodified": _ID,
    },
    # The course
    "course.xml": {"course/fullname": _NAME, "course/shortname": _NAME},
    "enrolments.xml": {
        "enrolments/enrols/enrol": Row(
            "enrol",
            frozenset(
                {"enrol", "status", "password"}
                | {f"customtext{n}" for n in range(1, 5)}
                | {f"customchar{n}" for n in range(1, 4)}
            ),
        ),
        "enrolments/enrols/enrol/user_enrolments/enrolment": Drop("enrolments"),
        "enrolments/enrols/enrol/plugin_enrol_lti_enrol/tool/secret": _CREDENTIAL,
        "enrolments/enrols/enrol/plugin_enrol_lti_enrol/tool/users/user": Drop("enrolments"),
    },
    "block.xml": {"block": Row("block", frozenset({"configdata"}))},
    "loglastaccess.xml": {"lastaccesses/lastaccess": Drop("logs")},
    "contentbank.xml": {
        "contents/content/usercreated": _ID,
        "contents/content/usermodified": _ID,
    },
    # In several places
    "inforef.xml": {
        "inforef/userref": Drop(""),
        "inforef/fileref": Row("references", frozenset()),
        "inforef/fileref/file": Row("file-reference", _REFERENCE),
        "inforef/roleref": Row("references", frozenset()),
        "inforef/roleref/role": Row("role-reference", _REFERENCE),
    },
    "roles.xml": _ROLES,
    "comments.xml": _COMMENTS,
    "logs.xml": _LOGS,
    "logstores.xml": _LOGSTORES,
    "calendar.xml": _EVENTS,
    "grades.xml": _GRADES,
    "grade_history.xml": _HISTORY,
    "grading.xml": {
        "areas/area/definitions/definition/instances/instance": Drop("grades"),
        "areas/area/definitions/definition/usercreated": _ID,
        "areas/area/definitions/definition/usermodified": _ID,
    },
    "competencies.xml": {
        "course_competencies/user_competencies/user_competency": Drop("competencies"),
    },
    "xapistate.xml": {"states/state": Drop("attempts")},
}
"""By file name, whatever folder the file stands in."""

_MODULES: Mapping[str, Mapping[str, Rule]] = {
    "assign": {
        "userflags/userflag": Drop("submission-flags"),
        "submissions/submission": Drop("submissions"),
        "grades/grade": Drop("grades"),
        "usermappings/usermapping": Drop("submission-flags"),
        "overrides/override": _OVERRIDE,
    },
    "assignment": {"submissions/submission": Drop("submissions")},
    "bigbluebuttonbn": {
        "logs/log": Drop("logs"),
        "recordings/recording": Drop("recordings"),
        # Without them nobody could join.
        "moderatorpass": Blank("tool-credentials", only=_is_old, renew=_renewed),
        "viewerpass": Blank("tool-credentials", only=_is_old, renew=_renewed),
        # Moodle makes a new room where there is none (process_bigbluebuttonbn in its restore step).
        "meetingid": Blank("tool-credentials", b""),
        "participants": Blank("meeting-participants", only=lambda text: '"user"' in text),
    },
    "book": {},
    "chat": {"messages/message": Drop("messages")},
    "choice": {"answers/answer": Drop("answers")},
    "data": {"records/record": Drop("entries"), "recordstags/tag": Drop("entries")},
    "feedback": {"completeds/completed": Drop("answers")},
    "folder": {},
    "forum": {
        "discussions/discussion": Drop("posts"),
        "subscriptions/subscription": Drop("subscriptions"),
        "digests/digest": Drop("subscriptions"),
        "readposts/read": Drop("logs"),
        "trackedprefs/track": Drop("subscriptions"),
        "poststags/tag": Drop("posts"),
        "grades/grade": Drop("grades"),
    },
    "glossary": {
        "entries/entry": Drop("entries"),
        "entriestags/tag": Drop("entries"),
        "categories/category/category_entries/category_entry": Drop("entries"),
    },
    "h5pactivity": {"attempts/attempt": Drop("attempts")},
    "imscp": {},
    "label": {},
    "lesson": {
        "pages/page/answers/answer/attempts/attempt": Drop("attempts"),
        "pages/page/branches/branch": Drop("attempts"),
        "grades/grade": Drop("grades"),
        "highscores/highscore": Drop("grades"),
        "timers/timer": Drop("attempts"),
        "overrides/override": _OVERRIDE,
        "overrides/override/password": _PASSWORD["lesson"],
        "password": _PASSWORD["lesson"],
    },
    "lti": {
        "ltisubmissions/ltisubmission": Drop("submissions"),
        "resourcekey": _CREDENTIAL,
        "password": _CREDENTIAL,
        "ltitype/createdby": _ID,
        # Moodle cannot restore one without a value (restore_step::decrypt).
        "ltitype/ltitypesconfigs/ltitypesconfigencrypted": Drop("tool-credentials"),
        "ltitype/ltitypesconfigs/ltitypesconfig": Row("tool", frozenset({"name", "value"})),
        "ltitype/ltitoolproxy/ltitoolsettings/ltitoolsetting/settings": Blank("tool-credentials", b""),
    },
    "page": {},
    "qbank": {},
    "quiz": {
        "attempts/attempt": Drop("attempts"),
        "grades/grade": Drop("grades"),
        "overrides/override": _OVERRIDE,
        "overrides/override/password": _PASSWORD["quiz"],
        "password": _PASSWORD["quiz"],
        "subnet": Blank("network-address", b""),
        "subplugin_quizaccess_seb_quiz/quizaccess_seb_quizsettings/quitpassword": _PASSWORD["quiz"],
        # A template and a configuration of the Safe Exam Browser hold its keys and hashed passwords.
        "subplugin_quizaccess_seb_quiz/quizaccess_seb_quizsettings/quizaccess_seb_template/content": Blank(
            "quiz-password", b"", only=lambda text: "hashed" in text and "Password" in text
        ),
    },
    "resource": {},
    "scorm": {"scoes/sco/sco_tracks/sco_track": Drop("attempts")},
    "subsection": {},
    "survey": {"answers/answer": Drop("answers"), "analysis/analys": Drop("answers")},
    "url": {},
    "wiki": {"subwikis/subwiki": Drop("entries")},
    "workshop": {
        "submissions/submission": Drop("submissions"),
        "aggregations/aggregation": Drop("grades"),
        "examplesubmissions/examplesubmission": Row("example", frozenset()),
        "examplesubmissions/examplesubmission/referenceassessment": Row("example", frozenset()),
        "examplesubmissions/examplesubmission/exampleassessments/exampleassessment": Drop("assessments"),
    },
}
"""By activity module, within ``activity/<module>``."""

_LEFT_OUT_OF_ACTIVITIES = frozenset(
    {"comments.xml", "completion.xml", "logs.xml", "logstores.xml", "xapistate.xml"}
)
_LEFT_OUT_OF_COURSES = frozenset({"comments.xml", "logs.xml", "logstores.xml", "loglastaccess.xml"})

_IN_MANY_PLACES = {"inforef.xml", "roles.xml", "filters.xml", "competencies.xml", "comments.xml"}
_KNOWN_FILES = {
    "": {
        *("moodle_backup.xml", "files.xml", "users.xml", "roles.xml", "scales.xml", "outcomes.xml"),
        *(
            "groups.xml",
            "questions.xml",
            "completion.xml",
            "gradebook.xml",
            "grade_history.xml",
            "badges.xml",
        ),
    },
    "course": {
        *("course.xml", "enrolments.xml", "calendar.xml", "logs.xml", "logstores.xml", "loglastaccess.xml"),
        *("completiondefaults.xml", "contentbank.xml", *_IN_MANY_PLACES),
    },
    "sections": {"section.xml", "inforef.xml"},
    "activities": {
        *("module.xml", "grades.xml", "grade_history.xml", "calendar.xml", "grading.xml", "completion.xml"),
        *("logs.xml", "logstores.xml", "xapistate.xml", "contentbank.xml", *_IN_MANY_PLACES),
    },
    "blocks": {"block.xml", "rss_client.xml", *_IN_MANY_PLACES},
}
"""What Moodle writes, by the folder it stands in (``backup_*_task.class.php`` in backup/moodle2)."""


_HARMLESS_PLUGINS = frozenset({"qtype", "gradingform"})
"""Types of plugins whose elements describe a question or a form. What learners make of it is taken out as a
whole."""
_JUDGED_PLUGINS = frozenset(
    {
        *("bbbext_simple", "logstore_database", "logstore_legacy", "logstore_standard"),
        *("ltiservice_gradebookservices", "qbank_comment", "qbank_customfields", "quizaccess_seb"),
        "workshopeval_best",
    }
)
"""Moodle's own, of types that no backup names otherwise."""


def rules_of(member: str) -> Node:
    """The rules for one XML member of a backup, by its name in the archive."""
    # The directory does not tell what is in it: which module reads it, the manifest says.
    file = member.rpartition("/")[2]
    if (module := file.removesuffix(".xml")) in _MODULES:
        return _rules_of_module(module)
    return _rules_of_file(file)


def left_out(member: str) -> bool:
    """Whether Moodle does not write this member at all when it leaves the users out."""
    directory, _, file = member.rpartition("/")
    if directory == "":
        return file == "users.xml"
    place = _place(directory)
    if place == "activities":
        return file in _LEFT_OUT_OF_ACTIVITIES
    if place == "blocks":
        return file == "comments.xml"
    return place == "course" and file in _LEFT_OUT_OF_COURSES


def unknown_plugin(member: str) -> str | None:
    """The plugin that wrote this XML member, when nobody here knows where it keeps data of persons."""
    directory, _, file = member.rpartition("/")
    place = _place(directory)
    if file in _KNOWN_FILES.get(place, ()):
        return None
    if place == "activities":
        module = module_of(directory) or "?"
        return None if module in _MODULES and file == f"{module}.xml" else f"mod_{module}"
    if place == "blocks":
        return f"block_{directory.rpartition('/')[2].rpartition('_')[0]}"
    return file.removesuffix(".xml")


def filled_by(tag: str) -> str | None:
    """The plugin that fills an element of that name, when nobody here knows whether with data of persons.

    ``plugin_local_notes_course`` is the element of ``local_notes`` in the course.
    """
    kind, _, rest = tag.partition("plugin_")[2].partition("_")
    name = rest.rpartition("_")[0]
    component = f"{kind}_{name}"
    if not name or kind in _HARMLESS_PLUGINS or component in _JUDGED_PLUGINS or is_core(component):
        return None
    return component


def module_of(directory: str) -> str | None:
    """``quiz`` of ``activities/quiz_203``."""
    parts = directory.split("/")
    return parts[1].rpartition("_")[0] if len(parts) == 2 and parts[0] == "activities" else None


def _place(directory: str) -> str:
    parts = directory.split("/")
    return "blocks" if len(parts) > 1 and parts[-2] == "blocks" else parts[0]


@cache
def _rules_of_file(file: str) -> Node:
    rules = _MEMBERS.get(file)
    return rule_tree(rules) if rules else NO_RULES


@cache
def _rules_of_module(module: str) -> Node:
    rules = _MODULES.get(module)
    if not rules:
        return NO_RULES
    return rule_tree({f"activity/{module}/{path}": rule for path, rule in rules.items()})
