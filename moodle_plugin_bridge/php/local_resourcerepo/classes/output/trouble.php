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

namespace local_resourcerepo\output;

use core\output\notification;
use local_resourcerepo\api\account_required;
use local_resourcerepo\api\failure;
use local_resourcerepo\connection;

/**
 * A failure on a page: its sentence, and what can be done about it at once.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class trouble {
    /**
     * As HTML.
     *
     * @param failure $failure
     * @param \moodle_url $again where the same is tried again
     * @return string
     */
    public static function render(failure $failure, \moodle_url $again): string {
        global $OUTPUT;
        if ($failure instanceof account_required) {
            $host = parse_url(connection::baseurl(), PHP_URL_HOST);
            $sentence = get_string('connect_desc', 'local_resourcerepo', $host);
            return $OUTPUT->notification(s($sentence), notification::NOTIFY_INFO, false) . \html_writer::link(
                self::connect_url($again),
                get_string('connect', 'local_resourcerepo'),
                ['class' => 'btn btn-primary']
            );
        }
        $sentence = get_string($failure->errorcode, 'local_resourcerepo', $failure->a);
        $html = $OUTPUT->notification(s(trim($sentence)), notification::NOTIFY_ERROR, false);
        if ($failure->transient) {
            $html .= \html_writer::link($again, get_string('tryagain', 'local_resourcerepo'), ['class' => 'btn btn-secondary']);
        }
        return $html;
    }

    /**
     * Where one's account is connected, to come back to a page.
     *
     * @param \moodle_url $back
     * @return \moodle_url
     */
    public static function connect_url(\moodle_url $back): \moodle_url {
        return new \moodle_url('/local/resourcerepo/connect.php', ['returnurl' => $back->out_as_local_url(false)]);
    }
}
