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

namespace local_resourcerepo\job;

/**
 * Tells the user by a message that a job came to its end, or waits for them.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class notice {
    /**
     * Send it.
     *
     * @param job $job
     * @return void
     */
    public static function send(job $job): void {
        $user = \core_user::get_user($job->get('userid'));
        if (!$user || $user->deleted || $user->suspended) {
            return;
        }
        $kind = $job->get('kind');
        $state = $job->get('state');
        $subject = get_string("notice_{$kind}_{$state}", 'local_resourcerepo', $job->get('title'));
        $url = new \moodle_url('/local/resourcerepo/job.php', ['id' => $job->get('id')]);
        $text = $job->get('message');
        $message = new \core\message\message();
        $message->component = 'local_resourcerepo';
        $message->name = 'finished';
        $message->userfrom = \core_user::get_noreply_user();
        $message->userto = $user;
        $message->subject = $subject;
        $message->fullmessage = "{$subject}\n\n{$text}\n\n{$url->out(false)}";
        $message->fullmessageformat = FORMAT_PLAIN;
        $message->fullmessagehtml = \html_writer::tag('p', s($subject)) . \html_writer::tag('p', nl2br(s($text))) .
            \html_writer::tag('p', \html_writer::link($url, get_string('notice_look', 'local_resourcerepo')));
        $message->smallmessage = $subject;
        $message->notification = 1;
        $message->contexturl = $url->out(false);
        $message->contexturlname = get_string('notice_look', 'local_resourcerepo');
        $message->courseid = SITEID;
        message_send($message);
    }
}
