<?php
// This file is part of Moodle - https://moodle.org/
//
// Moodle is free software: you can redistribute it and/or modify
// it under the terms of the GNU General Public License as published by
// the Free Software Foundation, either version 3 of the License, or
// (at your option) any later version.
//
// Moodle is distributed in the hope that it will be useful,
// but WITHOUT ANY WARRANTY; without even the implied warranty of
// MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
// GNU General Public License for more details.
//
// You should have received a copy of the GNU General Public License
// along with Moodle.  If not, see <https://www.gnu.org/licenses/>.

/**
 * How far something is that was shared or added. It reloads itself while something goes on.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

use core\output\notification;
use local_resourcerepo\job\job;
use local_resourcerepo\job\runner;
use local_resourcerepo\output\job_page;

require(__DIR__ . '/../../config.php');

$id = required_param('id', PARAM_INT);
$action = optional_param('action', '', PARAM_ALPHA);

require_login(null, false);
$job = job::of_user($id);

$url = new moodle_url('/local/resourcerepo/job.php', ['id' => $id]);
$course = $DB->get_record('course', ['id' => $job->get('courseid')]);
$kind = $job->get('kind');
$heading = get_string("job_{$kind}", 'local_resourcerepo', $job->get('title'));
if ($course && can_access_course($course)) {
    require_login($course, false);
} else {
    $PAGE->set_context(context_system::instance());
}
$PAGE->set_url($url);
$PAGE->set_pagelayout('standard');
$PAGE->add_body_class('limitedwidth');
$PAGE->set_title($heading);
$PAGE->set_heading($course ? format_string($course->fullname) : $heading);

if ($action !== '') {
    require_sesskey();
    if ($action === 'goon') {
        $job->go_on();
        redirect($url);
    }
    if ($action === 'discard' && runner::discard($job)) {
        $back = $course ? course_get_url($course) : new moodle_url('/my/');
        redirect($back, get_string('discarded', 'local_resourcerepo'), null, notification::NOTIFY_INFO);
    }
    redirect($url);
}

if ($job->is_open()) {
    $PAGE->set_periodic_refresh_delay(5); // Seconds; without any script.
}

echo $OUTPUT->header();
echo $OUTPUT->heading(s($heading));
echo $OUTPUT->render_from_template('local_resourcerepo/job', (new job_page($job))->export_for_template($OUTPUT));
echo $OUTPUT->footer();
