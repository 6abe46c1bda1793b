<?php
// This file is part of the Moodle resources repository (AGPL-3.0-or-later).

/**
 * Asks a real Moodle what it makes of a backup: its pre-check, and what is there after a restore.
 *
 *     php restore.php MOODLE_DIR BACKUP manager|teacher
 *
 * Prints one JSON object. The manager restores as the site's administrator into a new course, the teacher into
 * an empty course of their own. The course is deleted again.
 */

define('CLI_SCRIPT', true);

[, $moodledir, $file, $who] = $argv;
require($moodledir . '/config.php');
require_once($CFG->dirroot . '/backup/util/includes/restore_includes.php');
require_once($CFG->dirroot . '/course/lib.php');
require_once($CFG->dirroot . '/user/lib.php');
require_once($CFG->dirroot . '/question/engine/bank.php');
require_once($CFG->libdir . '/enrollib.php');

set_debugging(DEBUG_NONE);

/** The strings in which a pre-check speaks, by the names under which Moodle keeps them. */
const SAID = [
    'backup' => ['errorminbackup20version', 'errorrestorefrontpagebackup', 'cannotfindassignablerole',
        'qcategory2coursefallback', 'qcategorycannotberestored', 'question2coursefallback'],
    'question' => ['restoremultipletopcats'],
    'core' => ['noticenewerbackup', 'restoreuserconflict', 'restorecannotcreateuser'],
    'admin' => ['mnetrestore_extusers_admin', 'mnetrestore_extusers_noadmin'],
];

/** Which string a message was made of, or the message itself. */
function string_of(string $message): string {
    foreach (SAID as $component => $names) {
        $strings = get_string_manager()->load_component_strings($component, 'en');
        foreach ($names as $name) {
            $pattern = preg_replace('/\\\\\{\\\\\$a(\\\\-\\\\>\w+)?\\\\\}/', '.*', preg_quote($strings[$name], '/'));
            if (preg_match("/^$pattern$/s", $message)) {
                return "$component/$name";
            }
        }
    }
    return $message;
}

/** How many there are of each. */
function tally(array $names): stdClass {
    return (object) array_count_values(array_map('strval', $names));
}

/** Somebody who teaches the course and may do nothing else. */
function teacher_of(int $courseid): int {
    global $CFG, $DB;
    $user = $DB->get_record('user', ['username' => 'e2e_teacher']);
    $userid = $user ? $user->id : user_create_user((object) [
        'username' => 'e2e_teacher', 'password' => 'Teach-1-please!', 'firstname' => 'E', 'lastname' => 'Teacher',
        'email' => 'e2e_teacher@example.org', 'confirmed' => 1, 'mnethostid' => $CFG->mnet_localhost_id,
    ]);
    $role = $DB->get_field('role', 'id', ['shortname' => 'editingteacher'], MUST_EXIST);
    $manual = enrol_get_plugin('manual');
    $instance = $DB->get_record('enrol', ['id' => $manual->add_instance(get_course($courseid))], '*', MUST_EXIST);
    $manual->enrol_user($instance, $userid, $role);
    return (int) $userid;
}

/** What a restored course holds, counted by the names of plugins. */
function found_in(int $courseid): array {
    global $DB;
    rebuild_course_cache($courseid, true);
    $modinfo = get_fast_modinfo($courseid);
    $restrictions = [];
    foreach ($modinfo->get_cms() as $cm) {
        if ($cm->availability !== null) {
            $tree = (new \core_availability\info_module($cm))->get_availability_tree();
            foreach ($tree->get_all_children('core_availability\condition') as $condition) {
                $restrictions[] = explode('\\', get_class($condition))[0];
            }
        }
    }
    $context = context_course::instance($courseid);
    $blocks = $DB->get_fieldset_sql(
        'SELECT blockname FROM {block_instances} b JOIN {context} c ON c.id = b.parentcontextid
          WHERE c.id = ? OR c.path LIKE ?', [$context->id, $context->path . '/%']);
    $course = get_course($courseid);
    return [
        'fullname' => $course->fullname,
        'format' => $course->format,
        'shown_format' => course_get_format($course)->get_format(),
        'modules' => tally($DB->get_fieldset_sql(
            'SELECT m.name FROM {course_modules} c JOIN {modules} m ON m.id = c.module WHERE c.course = ?', [$courseid])),
        'sections' => count($modinfo->get_section_info_all()),
        'blocks' => tally($blocks),
        'restrictions' => tally($restrictions),
        'custom_fields' => (int) $DB->count_records_sql(
            "SELECT count(*) FROM {customfield_data} WHERE contextid = ?", [$context->id]),
    ];
}

/** Every question there is, by type; types that are not installed are called missing. */
function questions(): array {
    global $DB;
    $types = $DB->get_records_sql_menu('SELECT qtype, count(*) FROM {question} GROUP BY qtype');
    $found = [];
    foreach ($types as $type => $count) {
        $name = question_bank::is_qtype_installed($type) ? $type : 'missing';
        $found[$name] = ($found[$name] ?? 0) + (int) $count;
    }
    return $found;
}

$said = ['exception' => null, 'errors' => (object) [], 'warnings' => (object) [], 'restored' => null];
$admin = get_admin();
\core\session\manager::set_user($admin);
$folder = 'e2e' . random_string(8);
$path = make_backup_temp_directory($folder);
get_file_packer('application/vnd.moodle.backup')->extract_to_pathname($file, $path);
$category = \core_course_category::get_default()->id;
$name = 'e2e ' . random_string(8);
$courseid = restore_dbops::create_new_course($name, $name, $category);
context_course::instance($courseid);
$userid = $who === 'teacher' ? teacher_of($courseid) : (int) $admin->id;
$target = $who === 'teacher' ? backup::TARGET_EXISTING_ADDING : backup::TARGET_NEW_COURSE;
$before = questions();
ob_start();
try {
    $controller = new restore_controller($folder, $courseid, backup::INTERACTIVE_NO, backup::MODE_GENERAL, $userid, $target);
    if ($controller->get_status() == backup::STATUS_REQUIRE_CONV) {
        chdir($CFG->dirroot . '/backup');
        $controller->convert();
    }
    $controller->execute_precheck();
    $results = $controller->get_precheck_results();
    $said['errors'] = tally(array_map('string_of', $results['errors'] ?? []));
    $said['warnings'] = tally(array_map('string_of', $results['warnings'] ?? []));
    if (empty($results['errors'])) {
        $controller->execute_plan();
        $said['restored'] = found_in($courseid);
        $after = questions();
        foreach ($after as $type => $count) {
            $after[$type] = $count - ($before[$type] ?? 0);
        }
        $said['restored']['questions'] = (object) array_filter($after);
    }
    $controller->destroy();
} catch (moodle_exception $exception) {
    $said['exception'] = $exception->errorcode;
}
try {
    delete_course($courseid, false);
} catch (Throwable $exception) {
    // Moodle does not delete activities of a module that is switched off; an empty course more does no harm.
    $DB->set_field('course', 'visible', 0, ['id' => $courseid]);
}
ob_end_clean(); // plugins like to tell what they delete
echo json_encode($said, JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES), "\n";
