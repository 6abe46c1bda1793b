<?php
// This file is part of the Moodle resources repository (AGPL-3.0-or-later).

/**
 * Makes a course with a teacher, or deletes both.
 *
 *     php trial_course.php MOODLE_DIR make PASSWORD
 *     php trial_course.php MOODLE_DIR look COURSE
 *     php trial_course.php MOODLE_DIR delete COURSE
 *
 * Prints one JSON object: course, username (make); activities (module: name) and introductions (look).
 */

define('CLI_SCRIPT', true);

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
