<?php
// This file is part of the Moodle resources repository (AGPL-3.0-or-later).

/**
 * Makes a teacher and courses on a real Moodle for a test to use, and takes them away again.
 *
 *     php school.php MOODLE_DIR make MEBIBYTES
 *     php school.php MOODLE_DIR remove JSON
 *
 * "make" prints one JSON object, which "remove" takes: the teacher, who may edit two courses and do nothing else;
 * "course", which holds a page with a picture, a file, a quiz with questions, and keys; the empty "target"; and "courses",
 * all that are to be removed.
 * With MEBIBYTES above 0 the course also holds so much in files that no packing makes smaller.
 */

define('CLI_SCRIPT', true);

[, $moodledir, $what, $given] = $argv;
require($moodledir . '/config.php');
require_once($CFG->dirroot . '/course/lib.php');
require_once($CFG->dirroot . '/user/lib.php');
require_once($CFG->dirroot . '/lib/testing/generator/lib.php');
require_once($CFG->libdir . '/enrollib.php');
require_once($CFG->libdir . '/questionlib.php');
require_once($CFG->dirroot . '/question/format.php');
require_once($CFG->dirroot . '/question/format/gift/format.php');
require_once($CFG->dirroot . '/mod/quiz/locallib.php');

\core\session\manager::set_user(get_admin());

/** The smallest PNG that is a picture. */
const PICTURE = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

const QUESTIONS = "::Frogs breathe through their skin:: Frogs breathe through their skin. {TRUE}

::Name an amphibian:: Name an amphibian. {=newt =frog =toad}

::Describe a food chain:: Describe a food chain in a pond. {}
";

const MEBIBYTE = 1024 * 1024;

/** Somebody who teaches these courses. */
function teacher(string $name, array $courseids): stdClass {
    global $CFG, $DB;
    $password = 'Teach-1-' . random_string(12) . '!';
    $userid = user_create_user((object) [
        'username' => $name, 'password' => $password, 'firstname' => 'Tess', 'lastname' => 'Teacher',
        'email' => "$name@example.org", 'confirmed' => 1, 'mnethostid' => $CFG->mnet_localhost_id,
    ], true, false);
    foreach ($courseids as $courseid) {
        $role = $DB->get_field('role', 'id', ['shortname' => 'editingteacher'], MUST_EXIST);
        $instance = $DB->get_record('enrol', ['courseid' => $courseid, 'enrol' => 'manual'], '*', MUST_EXIST);
        enrol_get_plugin('manual')->enrol_user($instance, $userid, $role);
    }
    foreach (array_keys($DB->get_records_menu('tool_usertours_tours', null, '', 'id, id AS same')) as $tourid) {
        // Tours stand before what is to be clicked.
        set_user_preference(\tool_usertours\tour::TOUR_LAST_COMPLETED_BY_USER . $tourid, time(), $userid);
    }
    return (object) ['id' => (int) $userid, 'username' => $name, 'password' => $password];
}

/** A file in a draft area, for a module to take over. */
function draft(string $name, string $content): int {
    global $USER;
    $itemid = file_get_unused_draft_itemid();
    get_file_storage()->create_file_from_string([
        'contextid' => context_user::instance($USER->id)->id, 'component' => 'user', 'filearea' => 'draft',
        'itemid' => $itemid, 'filepath' => '/', 'filename' => $name,
        'author' => 'Tess Teacher', 'license' => 'cc-4.0',
    ], $content);
    return $itemid;
}

/** A page, with a picture in its text. */
function page(testing_data_generator $generator, int $courseid): int {
    $page = $generator->create_module('page', [
        'course' => $courseid, 'section' => 1, 'name' => 'What lives in a pond',
        'intro' => 'Plants and animals of still water.', 'contentformat' => FORMAT_HTML,
        'content' => '<p>Look at the <img src="@@PLUGINFILE@@/pond.png" alt="pond">.</p>',
    ]);
    get_file_storage()->create_file_from_string([
        'contextid' => context_module::instance($page->cmid)->id, 'component' => 'mod_page',
        'filearea' => 'content', 'itemid' => 0, 'filepath' => '/', 'filename' => 'pond.png',
        'author' => 'Tess Teacher', 'license' => 'cc-4.0',
    ], base64_decode(PICTURE));
    return $page->cmid;
}

/** Questions in the course's bank, as a teacher imports them. */
function questions(int $courseid): array {
    $contexts = new \core_question\local\bank\question_edit_contexts(context_course::instance($courseid));
    $path = make_request_directory() . '/ponds.gift';
    file_put_contents($path, QUESTIONS);
    $format = new qformat_gift();
    $format->setCategory(question_make_default_categories($contexts->all()));
    $format->setContexts($contexts->all());
    $format->setCourse(get_course($courseid));
    $format->setFilename($path);
    $format->setStoponerror(true);
    ob_start();
    $done = $format->importpreprocess() && $format->importprocess() && $format->importpostprocess();
    $said = ob_get_clean();
    if (!$done) {
        throw new coding_exception("the questions were not imported: $said");
    }
    return $format->questionids;
}

/** A quiz with a password, and questions of the course's bank. */
function quiz(testing_data_generator $generator, int $courseid): int {
    $quiz = $generator->create_module('quiz', [
        'course' => $courseid, 'section' => 1, 'name' => 'Pond quiz', 'intro' => 'Three questions.',
        'quizpassword' => 'QUIZ-KEY-elm-4410', 'grade' => 10,
    ]);
    foreach (questions($courseid) as $questionid) {
        quiz_add_quiz_question($questionid, $quiz);
    }
    return $quiz->cmid;
}

/** Files of random bytes, as many as make up the size. */
function fill(testing_data_generator $generator, int $courseid, int $mebibytes): void {
    for ($number = 1; $mebibytes > 0; $number++, $mebibytes -= 64) {
        $generator->create_module('resource', [
            'course' => $courseid, 'section' => 2, 'name' => "Recording $number",
            'files' => draft("recording-$number.mp4", random_bytes(min($mebibytes, 64) * MEBIBYTE)),
        ]);
    }
}

function make(int $mebibytes): array {
    global $DB;
    $generator = new testing_data_generator();
    $name = 'e2e' . strtolower(random_string(8));
    $course = $generator->create_course([
        'fullname' => 'Ponds and streams', 'shortname' => "PONDS-$name", 'numsections' => 3,
        'summary' => '<p>Fresh water and what lives in it.</p>', 'summaryformat' => FORMAT_HTML,
    ], ['createsections' => true]);
    $DB->set_field('course_sections', 'name', 'Still water', ['course' => $course->id, 'section' => 1]);
    $self = $DB->get_record('enrol', ['courseid' => $course->id, 'enrol' => 'self']);
    $self = $self ? $self->id : enrol_get_plugin('self')->add_default_instance($course);
    $DB->update_record('enrol', (object) ['id' => $self, 'status' => 0, 'password' => 'SELF-KEY-oak-7731']);
    $cmids = [
        'page' => page($generator, $course->id),
        'quiz' => quiz($generator, $course->id),
        'file' => (int) $generator->create_module('resource', [
            'course' => $course->id, 'section' => 2, 'name' => 'Field guide', 'intro' => 'To print out.',
            'files' => draft('field-guide.txt', "Newts, frogs and toads.\n"),
        ])->cmid,
    ];
    fill($generator, $course->id, $mebibytes);
    $target = $generator->create_course(
        ['fullname' => 'My new course', 'shortname' => "NEW-$name", 'numsections' => 2], ['createsections' => true]);
    rebuild_course_cache($course->id, true);
    return [
        'teacher' => teacher($name, [$course->id, $target->id]),
        'course' => (int) $course->id, 'target' => (int) $target->id, 'cmids' => $cmids,
        'courses' => [(int) $course->id, (int) $target->id],
    ];
}

function remove(stdClass $school): array {
    global $CFG, $DB;
    // What is taken away is not packed once more for the category's recycle bin.
    $CFG->forced_plugin_settings['tool_recyclebin'] = ['categorybinenable' => 0, 'coursebinenable' => 0];
    ob_start();
    foreach ($school->courses as $courseid) {
        delete_course($courseid, false);
    }
    if ($DB->get_manager()->table_exists('moodlenet_share_progress')) { // Since Moodle 4.3.
        $DB->delete_records('moodlenet_share_progress', ['userid' => $school->teacher->id]);
    }
    delete_user($DB->get_record('user', ['id' => $school->teacher->id], '*', MUST_EXIST));
    ob_end_clean();
    return ['removed' => true];
}

$answer = $what === 'make' ? make((int) $given) : remove(json_decode($given));
echo json_encode($answer, JSON_PRETTY_PRINT), "\n";
