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

namespace local_resourcerepo\api;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once($CFG->libdir . '/filelib.php');

/**
 * Moodle's \curl, so that its proxy, its certificates and its cURL security hold, for any method and any body.
 *
 * Moodle's own put() and delete() send a user name of their own, which has no place beside a token.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class curl_handle extends \curl {
    /**
     * Send a request.
     *
     * @param string $url
     * @param array $options CURLOPT_… by name
     * @return string|bool the body where nothing else takes it; what became of it stands in info, errno, error and getResponse()
     */
    public function send(string $url, array $options) {
        return $this->request($url, $options);
    }
}
