<?php
// This file is part of the Moodle resources repository (AGPL-3.0-or-later).

/**
<<<<<<< HEAD
 * Makes a course with a teacher, or deletes both.
 *
 *     php course.php MOODLE_DIR make PASSWORD
 *     php course.php MOODLE_DIR look COURSE
 *     php course.php MOODLE_DIR delete COURSE
 *
 * Prints one JSON object: course, username (make); activities (module: name) and introductions (look).
=======
 * Tells what a course of a real Moodle holds.
 *
 *     php course.php MOODLE_DIR COURSEID
 *
 * Prints one JSON object: its outline (section by section), questions of quizzes, files with the SHA-1 of what can
 * be read of each, texts of its pages' broken links, keys by what they open, and what its files' introductions say.
>>>>>>> e2e/main
 */

define('CLI_SCRIPT', true);

<<<<<<< HEAD
[, $moodledir, $what, $given] = $argv;
require($moodledir . '/config.php');
require_once($CFG->dirroot . '/course/lib.php');
require_once($CFG->dirroot . '/user/lib.php');
require_once($CFG->libdir . '/enrollib.php');

\core\session\manager::set_user(get_admin());
$told = [];
if ($what === 'make') {
    $name = 'e2e' . bin2hex(random_bytes(6));
    $course = create_course((object) ['fullname' => $name, 'shortname' => $name, 'category' => 1, 'numsections' => 2]);
    $user = user_create_user((object) [
        'username' => $name, 'password' => $given, 'auth' => 'manual', 'confirmed' => 1, 'firstname' => 'Tess',
        'lastname' => 'Teacher', 'email' => "$name@example.invalid", 'mnethostid' => $CFG->mnet_localhost_id,
    ], true, false);
    $role = $DB->get_field('role', 'id', ['shortname' => 'editingteacher'], MUST_EXIST);
    enrol_try_internal_enrol($course->id, $user, $role);
    $told = ['course' => (int) $course->id, 'username' => $name];
} else if ($what === 'look') {
    $modules = array_values(get_fast_modinfo((int) $given)->get_cms());
    $told['activities'] = array_map(fn($module) => [$module->modname, $module->name], $modules);
    $told['introductions'] = array_map(
        fn($module) => (string) $DB->get_field($module->modname, 'intro', ['id' => $module->instance]),
        $modules,
    );
} else {
    $name = $DB->get_field('course', 'shortname', ['id' => (int) $given], MUST_EXIST);
    delete_course((int) $given, false);
    delete_user($DB->get_record('user', ['username' => $name], '*', MUST_EXIST));
}
echo json_encode($told), "\n";
=======
[, $moodledir, $courseid] = $argv;
require($moodledir . '/config.php');
require_once(__DIR__ . '/contents.php');

\core\session\manager::set_user(get_admin());
$courseid = (int) $courseid;
$modinfo = get_fast_modinfo($courseid);

$outline = [];
foreach ($modinfo->get_section_info_all() as $section) {
    $activities = array_map(fn($cmid) => $modinfo->get_cm($cmid), $modinfo->sections[$section->section] ?? []);
    $outline[] = [(string) $section->name, array_map(fn($cm) => "{$cm->modname}: {$cm->name}", $activities)];
}
$keys = $DB->get_records_select_menu('enrol', "courseid = ? AND password <> ''", [$courseid], '', 'enrol, password')
    + $DB->get_records_select_menu('quiz', "course = ? AND password <> ''", [$courseid], '', 'name, password');

echo json_encode([
    'outline' => $outline,
    'quizzes' => (object) quiz_questions($courseid),
    'files' => files_of($courseid),
    'broken_images' => broken_images($courseid),
    'keys' => (object) $keys,
    'introductions' => (object) $DB->get_records_menu('resource', ['course' => $courseid], 'name', 'name, intro'),
], JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES), "\n";
>>>>>>> e2e/main
