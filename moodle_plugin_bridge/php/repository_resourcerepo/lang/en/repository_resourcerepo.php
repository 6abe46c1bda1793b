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
 * Strings in English.
 *
 * @package    repository_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

defined('MOODLE_INTERNAL') || die();

$string['allowlinks'] = 'Allow links';
$string['allowlinks_help'] = 'Teachers may also link to a public resource, or add its file as a shortcut that follows new versions, instead of copying it. Links and shortcuts stop working when a resource is withdrawn.';
$string['cachedef_pages'] = 'Pages of the repository that somebody is looking through';
$string['configplugin'] = 'Resources repository configuration';
$string['draft'] = '{$a} (draft)';
$string['filter_level'] = 'Any level';
$string['filter_licence'] = 'Any licence';
$string['filter_type'] = 'Any type';
$string['folder_count'] = '{$a->label} ({$a->count})';
$string['folder_level'] = 'Levels';
$string['folder_mine'] = 'My shares';
$string['folder_newest'] = 'Newest';
$string['folder_subject'] = 'Subjects';
$string['folder_type'] = 'Types';
$string['pluginname'] = 'Resources repository';
$string['pluginname_help'] = 'Courses, activities and files that teachers share with each other in the resources repository.';
$string['privacy:metadata'] = 'The file picker of the resources repository keeps no personal data. What is sent to the repository is described by the plugin Resources repository (local_resourcerepo).';
$string['resourcerepo:view'] = 'Use the resources repository in file pickers';
$string['sharedby'] = 'Shared by {$a}';
$string['use_h5pactivity'] = 'Becomes an H5P activity in a course';
$string['use_restore'] = 'A backup to restore';
$string['use_scorm'] = 'Becomes a SCORM activity in a course';
$string['whereset'] = 'The address of the repository is set in the <a href="{$a}">settings of the resources repository</a>.';
