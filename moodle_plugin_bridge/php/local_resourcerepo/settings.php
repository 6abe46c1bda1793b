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
 * Settings.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

defined('MOODLE_INTERNAL') || die();

if ($hassiteconfig) {
    $ADMIN->add('localplugins', new admin_category(
        'local_resourcerepo_category',
        new lang_string('pluginname', 'local_resourcerepo')
    ));
    $settings = new admin_settingpage('local_resourcerepo', new lang_string('settings', 'local_resourcerepo'));
    if ($ADMIN->fulltree) {
        $manage = new moodle_url('/local/resourcerepo/manage.php');
        $settings->add(new \local_resourcerepo\admin\setting_baseurl());
        $settings->add(new admin_setting_configduration(
            'local_resourcerepo/transfertimeout',
            new lang_string('transfertimeout', 'local_resourcerepo'),
            new lang_string('transfertimeout_desc', 'local_resourcerepo'),
            \local_resourcerepo\connection::TRANSFER_TIMEOUT,
            MINSECS
        ));
        $settings->add(new admin_setting_description(
            'local_resourcerepo/connection',
            new lang_string('connection', 'local_resourcerepo'),
            html_writer::tag('p', new lang_string('connection_desc', 'local_resourcerepo')) .
            html_writer::link(
                new moodle_url($manage, ['action' => 'test', 'sesskey' => sesskey()]),
                new lang_string('testconnection', 'local_resourcerepo'),
                ['class' => 'btn btn-secondary me-2 mr-2 mb-3']
            ) .
            html_writer::link(
                $manage,
                new lang_string('registersite', 'local_resourcerepo'),
                ['class' => 'btn btn-secondary mb-3']
            )
        ));
    }
    $ADMIN->add('local_resourcerepo_category', $settings);
    $ADMIN->add('local_resourcerepo_category', new admin_externalpage(
        'local_resourcerepo_connection',
        new lang_string('connection', 'local_resourcerepo'),
        new moodle_url('/local/resourcerepo/manage.php')
    ));
    $settings = null;
}
