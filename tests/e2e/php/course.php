<?php
// This file is part of the Moodle resources repository (AGPL-3.0-or-later).

/**
 * Tells what a course of a real Moodle holds.
 *
 *     php course.php MOODLE_DIR COURSEID
 *
 * Prints one JSON object: the id of its context, its outline (section by section), questions of quizzes, files with the SHA-1 of what can
 * be read of each, texts of its pages' broken links, keys by what they open, and what its files' introductions say.
 */

define('CLI_SCRIPT', true);

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
    'context' => context_course::instance($courseid)->id,
    'outline' => $outline,
    'quizzes' => (object) quiz_questions($courseid),
    'files' => files_of($courseid),
    'broken_images' => broken_images($courseid),
    'keys' => (object) $keys,
    'introductions' => (object) $DB->get_records_menu('resource', ['course' => $courseid], 'name', 'name, intro'),
], JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES), "\n";
