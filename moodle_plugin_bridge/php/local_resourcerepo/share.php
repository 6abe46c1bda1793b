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
 * Share a course, a section or an activity.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

use core\output\notification;
use local_resourcerepo\api\client;
use local_resourcerepo\api\failure;
use local_resourcerepo\form\share_form;
use local_resourcerepo\job\job;
use local_resourcerepo\output\share_chooser;
use local_resourcerepo\output\trouble;
use local_resourcerepo\share\description;
use local_resourcerepo\share\subject;
use local_resourcerepo\share\survey;

require(__DIR__ . '/../../config.php');

$courseid = optional_param('course', 0, PARAM_INT); // To choose something of it.
$wholeid = optional_param('whole', 0, PARAM_INT); // All of this course.
$sectionid = optional_param('section', 0, PARAM_INT);
$cmid = optional_param('cmid', 0, PARAM_INT);

if ($courseid) {
    $subject = null;
    $course = get_course($courseid);
} else if ($cmid) {
    $subject = subject::find(subject::ACTIVITY, $cmid);
} else {
    $subject = $sectionid ? subject::find(subject::SECTION, $sectionid) : subject::find(subject::COURSE, $wholeid);
}
$course = $subject === null ? $course : $subject->course;
require_login($course, false, $subject === null ? null : $subject->cm);
$context = $subject === null ? context_course::instance($course->id) : $subject->context();
require_capability('local/resourcerepo:share', $context);

$parameters = array_filter(['course' => $courseid, 'whole' => $wholeid, 'section' => $sectionid, 'cmid' => $cmid]);
$url = new moodle_url('/local/resourcerepo/share.php', $parameters);
$heading = $subject === null
    ? get_string('shareto', 'local_resourcerepo')
    : get_string('sharesubject', 'local_resourcerepo', $subject->name());
$PAGE->set_url($url);
$PAGE->set_pagelayout($cmid ? 'incourse' : 'course');
$PAGE->set_pagetype('local-resourcerepo-share');
$PAGE->add_body_class('limitedwidth');
$PAGE->set_title($heading);
$PAGE->set_heading(format_string($course->fullname));
if ($cmid) {
    $PAGE->activityheader->disable();
}
if (!$cmid) { // The navigation of an activity has it there.
    $PAGE->navbar->add(get_string('shareto', 'local_resourcerepo'));
}

if ($subject === null) {
    echo $OUTPUT->header();
    echo $OUTPUT->heading($heading);
    $chooser = new share_chooser($course);
    echo $OUTPUT->render_from_template('local_resourcerepo/share_chooser', $chooser->export_for_template($OUTPUT));
    echo $OUTPUT->footer();
    die;
}

$failure = null;
try {
    $subject->require_allowed();
    $me = client::for_user()->me();
    $survey = new survey($subject);
    $form = new share_form($url->out(false));
    $form->set_data(description::proposed($subject, $survey));
    if ($form->is_cancelled()) {
        redirect($subject->url());
    }
    if ($data = $form->get_data()) {
        $job = job::begin(job::SHARE, (int) $course->id, $data->title, [
            'kind' => $subject->kind,
            'id' => $subject->id,
            'description' => description::entered($data),
            'release' => !empty($data->release),
        ]);
        redirect(new moodle_url('/local/resourcerepo/job.php', ['id' => $job->get('id')]));
    }
} catch (failure $failure) {
    $form = null;
}

echo $OUTPUT->header();
echo $OUTPUT->heading(s($heading));
if ($failure !== null) {
    echo trouble::render($failure, $url);
} else {
    $size = $survey->size();
    echo $OUTPUT->render_from_template('local_resourcerepo/survey', [
        'name' => $me->display_name ?: $me->username,
        'size' => display_size($size),
        'free' => display_size(max(0, $me->quota - $me->used)),
        'toolarge' => $size > $me->quota - $me->used,
        'activities' => count($subject->activities()),
        'findings' => array_map(function(array $finding): array {
            return $finding + ['warning' => $finding['state'] === 'warning'];
        }, $survey->findings()),
    ]);
    $form->display();
}
echo $OUTPUT->footer();
