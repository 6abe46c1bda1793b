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
 * A user's own account at the repository: connect it, see it, disconnect it.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

use core\output\notification;
use local_resourcerepo\api\client;
use local_resourcerepo\api\failure;
use local_resourcerepo\connection;
use local_resourcerepo\oauth\account;

require(__DIR__ . '/../../config.php');

$returnurl = optional_param('returnurl', '', PARAM_LOCALURL); // Where to go on once the account is connected.
$callback = optional_param('callback', '', PARAM_ALPHA);
$action = optional_param('action', '', PARAM_ALPHA);
$error = optional_param('error', '', PARAM_ALPHANUMEXT);

require_login(null, false);
require_capability('local/resourcerepo:connect', context_system::instance());

$url = new moodle_url('/local/resourcerepo/connect.php', $returnurl === '' ? [] : ['returnurl' => $returnurl]);
$PAGE->set_context(context_user::instance($USER->id));
$PAGE->set_url($url);
$PAGE->set_pagelayout('standard');
$PAGE->set_title(get_string('myaccount', 'local_resourcerepo'));
$PAGE->set_heading(get_string('myaccount', 'local_resourcerepo'));

$account = account::current(new moodle_url($url, ['callback' => 'yes', 'sesskey' => sesskey()]));
$message = null;
$username = null;
$connected = false;
try {
    if ($account === null) {
        connection::baseurl();
        throw new failure(\core\session\manager::is_loggedinas() ? 'loggedinas' : 'notregistered');
    }
    if ($callback !== '') {
        require_sesskey();
        if ($error !== '') {
            throw new failure($error === 'access_denied' ? 'accessdenied' : 'connectionrefused', (object) [
                'host' => parse_url(connection::baseurl(), PHP_URL_HOST),
            ], $error);
        }
    }
    if ($action === 'disconnect') {
        require_sesskey();
        $account->disconnect();
        redirect($url, get_string('disconnected', 'local_resourcerepo'), null, notification::NOTIFY_SUCCESS);
    }
    $connected = $account->is_connected();
    if ($connected) {
        $me = client::for_user()->me();
        $username = $me->display_name ?: $me->username;
        if ($callback !== '') {
            $next = $returnurl === '' ? $url : new moodle_url($returnurl);
            redirect($next, get_string('connected', 'local_resourcerepo', s($username)), null, notification::NOTIFY_SUCCESS);
        }
    }
} catch (failure $failure) {
    $message = $failure->getMessage();
    $connected = $connected && !($failure instanceof \local_resourcerepo\api\account_required);
}

echo $OUTPUT->header();
if ($message !== null) {
    echo $OUTPUT->notification(s($message), notification::NOTIFY_ERROR, false);
}
$host = connection::is_configured() ? parse_url(connection::baseurl(), PHP_URL_HOST) : '';
if ($username !== null) {
    $who = (object) ['name' => s($username), 'host' => s($host)];
    echo html_writer::tag('p', get_string('connectedas', 'local_resourcerepo', $who));
} else if ($account !== null && !$connected) {
    echo html_writer::tag('p', get_string('connect_desc', 'local_resourcerepo', s($host)));
    echo html_writer::link($account->login_url(), get_string('connect', 'local_resourcerepo'), ['class' => 'btn btn-primary']);
}
if ($account !== null && $connected) {
    echo $OUTPUT->single_button(
        new moodle_url($url, ['action' => 'disconnect']),
        get_string('disconnect', 'local_resourcerepo'),
        'post'
    );
}
echo $OUTPUT->footer();
