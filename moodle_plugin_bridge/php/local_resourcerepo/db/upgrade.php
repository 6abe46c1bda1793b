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
 * Upgrades.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

/**
 * Bring the database of an older version of the plugin up to date.
 *
 * @param int $oldversion
 * @return bool
 */
function xmldb_local_resourcerepo_upgrade(int $oldversion): bool {
    global $DB;
    $dbman = $DB->get_manager();

    if ($oldversion < 2026112802) {
        if (!$dbman->table_exists('local_resourcerepo_job')) {
            $dbman->install_one_table_from_xmldb_file(__DIR__ . '/install.xml', 'local_resourcerepo_job');
        }
        upgrade_plugin_savepoint(true, 2026112802, 'local', 'resourcerepo');
    }
    return true;
}
