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

namespace local_resourcerepo\admin;

use local_resourcerepo\connection;

/**
 * The address of the repository.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class setting_baseurl extends \admin_setting_configtext {
    /**
     * Constructor.
     */
    public function __construct() {
        parent::__construct(
            'local_resourcerepo/baseurl',
            new \lang_string('baseurl', 'local_resourcerepo'),
            new \lang_string('baseurl_desc', 'local_resourcerepo'),
            '',
            PARAM_RAW_TRIMMED,
            60
        );
    }

    /**
     * Take only what tokens may be sent to.
     *
     * @param string $data
     * @return true|string
     */
    public function validate($data) {
        if (trim($data) === '' || connection::normalised($data) !== null) {
            return true;
        }
        return get_string('baseurl_invalid', 'local_resourcerepo');
    }

    /**
     * Save it as it is used.
     *
     * @param string $data
     * @return string empty, or an error
     */
    public function write_setting($data) {
        return parent::write_setting(connection::normalised((string) $data) ?? $data);
    }
}
