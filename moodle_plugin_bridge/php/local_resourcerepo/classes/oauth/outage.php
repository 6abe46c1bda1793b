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

namespace local_resourcerepo\oauth;

/**
 * The repository could not be asked for a new token. Not an exception of Moodle's, at which \core\oauth2\client would
 * throw the user's connection away: see client::exchange_refresh_token().
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class outage extends \RuntimeException {
    /** @var string What went wrong, as a reason of \local_resourcerepo\api\failure. */
    public $reason;

    /**
     * Constructor.
     *
     * @param string $reason
     * @param string $debuginfo
     */
    public function __construct(string $reason, string $debuginfo = '') {
        parent::__construct($debuginfo);
        $this->reason = $reason;
    }
}
