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
 * The connection to the repository: test it, register this site.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

use core\output\notification;
use local_resourcerepo\api\failure;
use local_resourcerepo\connection;
use local_resourcerepo\diagnosis;
use local_resourcerepo\oauth\registration;

require(__DIR__ . '/../../config.php');
require_once($CFG->libdir . '/adminlib.php');

$action = optional_param('action', '', PARAM_ALPHA);

admin_externalpage_setup('local_resourcerepo_connection');
$url = new moodle_url('/local/resourcerepo/manage.php');

if ($action === 'register' || $action === 'forget') {
    require_sesskey();
    try {
        if ($action === 'register') {
            registration::register();
            redirect($url, get_string('registered', 'local_resourcerepo'), null, notification::NOTIFY_SUCCESS);
        }
        registration::forget();
        redirect($url, get_string('forgotten', 'local_resourcerepo'), null, notification::NOTIFY_SUCCESS);
    } catch (failure $failure) {
        redirect($url, s($failure->getMessage()), null, notification::NOTIFY_ERROR);
    }
}

if ($action === 'test') {
    require_sesskey();
    foreach (diagnosis::run() as $found) {
        \core\notification::add(s($found['message']), $found['state']);
    }
    redirect($url);
}

echo $OUTPUT->header();
echo $OUTPUT->heading(get_string('connection', 'local_resourcerepo'));

$configured = connection::is_configured();
$issuer = registration::issuer();
$button = function(string $action, string $string) use ($OUTPUT, $url): string {
    $button = new single_button(new moodle_url($url, ['action' => $action]), get_string($string, 'local_resourcerepo'), 'post');
    if ($action === 'forget') {
        $button->add_confirm_action(get_string('forgetsite_confirm', 'local_resourcerepo'));
    }
    return $OUTPUT->render($button);
};
echo $OUTPUT->render_from_template('local_resourcerepo/connection', [
    'settingsurl' => (new moodle_url('/admin/settings.php', ['section' => 'local_resourcerepo']))->out(false),
    'baseurl' => $configured ? connection::baseurl() : '',
    'registered' => $issuer !== null,
    'clientid' => $issuer !== null ? $issuer->get('clientid') : '',
    'serviceurl' => (new moodle_url('/admin/tool/oauth2/issuers.php'))->out(false),
    'buttons' => $configured ? [
        ['button' => $button('test', 'testconnection')],
        ['button' => $issuer === null ? $button('register', 'registersite') : $button('forget', 'forgetsite')],
    ] : [],
]);
echo $OUTPUT->footer();
