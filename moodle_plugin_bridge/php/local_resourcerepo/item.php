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
 * A resource of the repository: what it is, whether it would be restored here, and what of it to add to a course.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

use core\output\notification;
use local_resourcerepo\add\forecast;
use local_resourcerepo\add\permission;
use local_resourcerepo\add\selection;
use local_resourcerepo\api\client;
use local_resourcerepo\api\failure;
use local_resourcerepo\job\job;
use local_resourcerepo\output\item_page;
use local_resourcerepo\output\trouble;

require(__DIR__ . '/../../config.php');

$courseid = required_param('course', PARAM_INT);
$sectionid = optional_param('section', 0, PARAM_INT); // Where things go.
$id = required_param('id', PARAM_ALPHANUMEXT);
$how = optional_param('how', '', PARAM_ALPHA); // One of selection's constants, to begin.

$course = get_course($courseid);
require_login($course);
$context = context_course::instance($course->id);
require_capability('local/resourcerepo:add', $context);
require_capability('moodle/course:manageactivities', $context);

$parameters = array_filter(['course' => $course->id, 'section' => $sectionid]);
$findurl = new moodle_url('/local/resourcerepo/find.php', $parameters);
$url = new moodle_url('/local/resourcerepo/item.php', $parameters + ['id' => $id]);
$PAGE->set_url($url);
$PAGE->set_pagelayout('course');
$PAGE->set_pagetype('local-resourcerepo-item');
$PAGE->add_body_class('limitedwidth');
$PAGE->set_title(get_string('addfrom', 'local_resourcerepo'));
$PAGE->set_heading(format_string($course->fullname));
$PAGE->navbar->add(get_string('addfrom', 'local_resourcerepo'), $findurl);

$failure = null;
$page = null;
try {
    $client = client::for_whoever();
    $resource = $client->resource($id);
    $version = $resource->versions[0] ?? null;
    if ($version === null || ($version->processing->state ?? 'done') !== 'done') {
        throw new failure('notready');
    }
    $inspection = $client->inspection($resource->id, (int) $version->number);
    if ($how !== '') {
        require_sesskey();
        $wanted = (object) [
            'how' => $inspection->kind === 'file' ? selection::FILE : $how,
            'category' => optional_param('category', 0, PARAM_INT),
            'parts' => [],
        ];
        if ($wanted->how === selection::PARTS) {
            $sections = optional_param_array('sections', [], PARAM_INT);
            $activities = optional_param_array('activities', [], PARAM_INT);
            $wanted->parts = selection::parts($inspection, $sections, $activities);
            foreach (array_unique(array_column($wanted->parts, 'sort')) as $kind) {
                permission::require_allowed($kind, $context);
            }
        } else if ($wanted->how === selection::NEWCOURSE && $inspection->kind === 'course') {
            permission::require_new_course($wanted->category);
        } else {
            $wanted->how = $wanted->how === selection::FILE ? selection::FILE : selection::WHOLE;
            permission::require_allowed($inspection->kind, $context);
        }
        $job = job::begin(job::ADD, (int) $course->id, $resource->title, [
            'resource' => $resource->id,
            'version' => (int) $version->number,
            'filename' => $version->file_name,
            'kind' => $inspection->kind,
            'section' => optional_param('place', $sectionid, PARAM_INT),
        ] + (array) $wanted);
        redirect(new moodle_url('/local/resourcerepo/job.php', ['id' => $job->get('id')]));
    }
    $forecast = $inspection->kind === 'file' ? null : forecast::ask($client, $resource, $version, $inspection);
    $PAGE->set_title($resource->title);
    $PAGE->navbar->add($resource->title);
    $page = new item_page($course, $url, $resource, $version, $inspection, $forecast, $sectionid);
} catch (failure $failure) {
    if ($how !== '' && isset($inspection)) {
        redirect($url, s(get_string($failure->errorcode, 'local_resourcerepo', $failure->a)), null, notification::NOTIFY_ERROR);
    }
}

echo $OUTPUT->header();
if ($failure !== null) {
    echo trouble::render($failure, $url);
} else {
    echo $OUTPUT->heading(s($resource->title));
    echo $OUTPUT->render_from_template('local_resourcerepo/item', $page->export_for_template($OUTPUT));
}
echo html_writer::tag('p', html_writer::link($findurl, get_string('backtosearch', 'local_resourcerepo')), ['class' => 'mt-4']);
echo $OUTPUT->footer();
