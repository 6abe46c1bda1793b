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
 * Callbacks of Moodle's.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

/**
 * A link to one's own account at the repository in one's preferences.
 *
 * @param navigation_node $parentnode
 * @param stdClass $user whose preferences they are
 * @param context_user $context
 * @param stdClass $course
 * @param context_course $coursecontext
 * @return void
 */
function local_resourcerepo_extend_navigation_user_settings($parentnode, $user, $context, $course, $coursecontext): void {
    global $USER;
    if ((int) $user->id !== (int) $USER->id || \local_resourcerepo\oauth\registration::issuer() === null) {
        return;
    }
    if (has_capability('local/resourcerepo:connect', context_system::instance())) {
        $url = new moodle_url('/local/resourcerepo/connect.php');
        $parentnode->add(get_string('myaccount', 'local_resourcerepo'), $url, navigation_node::TYPE_SETTING);
    }
}

/**
 * Sharing and adding in the navigation of a course.
 *
 * @param navigation_node $parentnode
 * @param stdClass $course
 * @param context_course $context
 * @return void
 */
function local_resourcerepo_extend_navigation_course($parentnode, $course, $context): void {
    if ((int) $course->id === (int) SITEID || !\local_resourcerepo\connection::is_configured()) {
        return;
    }
    $entries = [];
    if (\local_resourcerepo\add\permission::any($context)) {
        $entries['find'] = get_string('addfrom', 'local_resourcerepo');
    }
    $connects = has_capability('local/resourcerepo:connect', context_system::instance());
    if ($connects && has_capability('local/resourcerepo:share', $context)) {
        $entries['share'] = get_string('shareto', 'local_resourcerepo');
    }
    foreach ($entries as $page => $label) {
        $url = new moodle_url("/local/resourcerepo/{$page}.php", ['course' => $course->id]);
        $key = "local_resourcerepo_{$page}";
        $parentnode->add($label, $url, navigation_node::TYPE_SETTING, null, $key, new pix_icon('icon', '', 'local_resourcerepo'));
    }
}

/**
 * Sharing in the navigation of an activity.
 *
 * @param settings_navigation $settings
 * @param context $context of the page
 * @return void
 */
function local_resourcerepo_extend_settings_navigation($settings, $context): void {
    global $PAGE;
    if (!$context instanceof context_module || !$PAGE->cm || !\local_resourcerepo\connection::is_configured()) {
        return;
    }
    $node = $settings->find('modulesettings', navigation_node::TYPE_SETTING);
    if (!$node || !has_capability('local/resourcerepo:share', $context)) {
        return;
    }
    if (!\local_resourcerepo\share\subject::find(\local_resourcerepo\share\subject::ACTIVITY, $PAGE->cm->id)->is_allowed()) {
        return;
    }
    $url = new moodle_url('/local/resourcerepo/share.php', ['cmid' => $PAGE->cm->id]);
    $label = get_string('shareto', 'local_resourcerepo');
    $node->add($label, $url, navigation_node::TYPE_SETTING, null, 'local_resourcerepo_share');
}
