<?php
// This file is part of the Moodle resources repository (AGPL-3.0-or-later).

/**
 * Restores a backup into a real Moodle and tells what it said and what is there.
 *
 *     php import.php MOODLE_DIR BACKUP
 *
 * A course becomes a new course, an activity or a section goes into a new empty one; both are deleted again.
 * Prints one JSON object: errors and warnings of the pre-check, what the restore logged and PHP complained of,
 * users that came along, activities, questions of quizzes, files that can be read.
 */

define('CLI_SCRIPT', true);

[, $moodledir, $file] = $argv;
require($moodledir . '/config.php');
require_once($CFG->dirroot . '/backup/util/includes/restore_includes.php');
require_once($CFG->dirroot . '/course/lib.php');
require_once(__DIR__ . '/contents.php');

set_debugging(DEBUG_DEVELOPER, true);
$CFG->backup_output_indented_logger_level = backup::LOG_WARNING;
$CFG->backup_error_log_logger_level = backup::LOG_NONE;
$CFG->backup_file_logger_level = backup::LOG_NONE;
$CFG->backup_database_logger_level = backup::LOG_NONE;

/** The lines of what was said, without times and ids, which differ from one restore to the next. */
function said(string $output): array {
    $lines = preg_split('/\R/', strip_tags($output));
    $lines = array_map(fn($line) => preg_replace('/\d+/', 'N', trim($line)), $lines);
    $lines = array_filter($lines, fn($line) => $line !== '' && !preg_match('/^N?\[?[\dN: ,-]*\]?$/', $line));
    return array_values(array_unique($lines));
}

$admin = get_admin();
\core\session\manager::set_user($admin);
$users = $DB->count_records('user');
$categoryid = $DB->get_field_sql('SELECT MIN(id) FROM {course_categories}');

$name = restore_controller::get_tempdir_name(0, $admin->id);
$folder = make_backup_temp_directory($name);
get_file_packer('application/vnd.moodle.backup')->extract_to_pathname($file, $folder);
$info = backup_general_helper::get_backup_information($name);

$new = $info->type === backup::TYPE_1COURSE;
if ($new) {
    $courseid = restore_dbops::create_new_course('e2e', 'e2e-' . random_string(8), $categoryid);
    $target = backup::TARGET_NEW_COURSE;
} else {
    $course = create_course((object) [
        'fullname' => 'e2e', 'shortname' => 'e2e-' . random_string(8), 'category' => $categoryid,
    ]);
    $courseid = (int) $course->id;
    $target = backup::TARGET_EXISTING_ADDING;
}

$result = ['type' => $info->type, 'exception' => null];
ob_start();
try {
    $controller = new restore_controller($name, $courseid, backup::INTERACTIVE_NO, backup::MODE_GENERAL,
        $admin->id, $target);
    $controller->execute_precheck();
    $checked = $controller->get_precheck_results();
    if (empty($checked['errors'])) {
        $controller->execute_plan();
    }
    $controller->destroy();
} catch (Throwable $exception) {
    $checked ??= [];
    $result['exception'] = get_class($exception) . ': ' . $exception->getMessage() . ' '
        . ($exception->debuginfo ?? '');
}
$output = ob_get_clean();

$result['errors'] = array_values(array_map('strip_tags', (array) ($checked['errors'] ?? [])));
$result['warnings'] = array_values(array_map('strip_tags', (array) ($checked['warnings'] ?? [])));
$result['said'] = said($output);
rebuild_course_cache($courseid, true);
$modinfo = get_fast_modinfo($courseid);
$result['activities'] = array_map(fn($cm) => "{$cm->modname}: {$cm->name}", array_values($modinfo->get_cms()));
sort($result['activities']);
$result['users'] = $DB->count_records('user') - $users;
$result['enrolled'] = count(get_enrolled_users(context_course::instance($courseid)));
$result['quizzes'] = (object) quiz_questions($courseid);
$result['files'] = files_of($courseid);
$result['broken_images'] = broken_images($courseid);

ob_start();
try {
    delete_course($courseid, false);
} catch (Throwable $exception) {
    // A room of BigBlueButton cannot be deleted without its server; an empty course more does no harm.
    $DB->set_field('course', 'visible', 0, ['id' => $courseid]);
}
ob_end_clean();
remove_dir($folder);
echo json_encode($result, JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES
    | JSON_INVALID_UTF8_SUBSTITUTE), "\n";
