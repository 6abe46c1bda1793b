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
 * Search the repository for something to add to a course.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

use local_resourcerepo\api\failure;
use local_resourcerepo\output\find_page;
use local_resourcerepo\output\trouble;

require(__DIR__ . '/../../config.php');

$courseid = required_param('course', PARAM_INT);
$sectionid = optional_param('section', 0, PARAM_INT); // Where things go.
$cursor = optional_param('cursor', '', PARAM_RAW_TRIMMED);
$mine = optional_param('mine', false, PARAM_BOOL);
$query = ['q' => optional_param('q', '', PARAM_RAW_TRIMMED)];
foreach (find_page::FILTERS as $filter) {
    $query[$filter] = optional_param($filter, '', PARAM_RAW_TRIMMED);
}

$course = get_course($courseid);
require_login($course);
$context = context_course::instance($course->id);
require_capability('local/resourcerepo:add', $context);
require_capability('moodle/course:manageactivities', $context);

$url = new moodle_url('/local/resourcerepo/find.php', array_filter(['course' => $course->id, 'section' => $sectionid]));
$PAGE->set_url(new moodle_url($url, array_filter($query + ['cursor' => $cursor, 'mine' => (int) $mine])));
$PAGE->set_pagelayout('course');
$PAGE->set_pagetype('local-resourcerepo-find');
$PAGE->add_body_class('limitedwidth');
$PAGE->set_title(get_string('addfrom', 'local_resourcerepo'));
$PAGE->set_heading(format_string($course->fullname));
$PAGE->navbar->add(get_string('addfrom', 'local_resourcerepo'));

$failure = null;
try {
    $page = (new find_page($url, $query, $cursor, $mine))->export_for_template($PAGE->get_renderer('core'));
} catch (failure $failure) {
    $page = null;
}

echo $OUTPUT->header();
echo $OUTPUT->heading(get_string('addfrom', 'local_resourcerepo'));
echo $failure === null
    ? $OUTPUT->render_from_template('local_resourcerepo/find', $page)
    : trouble::render($failure, $PAGE->url);
echo $OUTPUT->footer();
