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

use local_resourcerepo\api\account_required;
use local_resourcerepo\api\failure;
use local_resourcerepo\api\http;
use local_resourcerepo\connection;

/**
 * The account at the repository that the current user lets this site use. In an ad-hoc task that runs for a user
 * (\core\task\adhoc_task::set_userid()) the current user is that one.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class account {
    /** @var client */
    private $client;

    /**
     * Constructor.
     *
     * @param client $client
     */
    private function __construct(client $client) {
        $this->client = $client;
    }

    /**
     * The current user's account, whether it is connected or not.
     *
     * @param \moodle_url|null $returnurl where to go on after the user allowed it; its parameters need a sesskey
     * @return self|null null where there can be none: the site is not registered, the user is a guest, somebody else, or
     *      not allowed to
     */
    public static function current(?\moodle_url $returnurl = null): ?self {
        if (!isloggedin() || isguestuser() || \core\session\manager::is_loggedinas()) {
            return null; // What is somebody's own at the repository is not for who looks over their shoulder.
        }
        if (!has_capability('local/resourcerepo:connect', \context_system::instance())) {
            return null;
        }
        $issuer = registration::issuer();
        return $issuer === null ? null : new self(new client($issuer, $returnurl));
    }

    /**
     * The current user's account for work that needs one.
     *
     * @return self
     * @throws failure when the site is not registered
     * @throws account_required when the account is not connected
     */
    public static function required(): self {
        if (registration::issuer() === null) {
            connection::baseurl();
            throw new failure('notregistered');
        }
        if (!has_capability('local/resourcerepo:connect', \context_system::instance())) {
            throw new failure('notallowed');
        }
        $account = self::current();
        if ($account === null || !$account->is_connected()) {
            throw new account_required('accountrequired', (object) ['host' => parse_url(connection::baseurl(), PHP_URL_HOST)]);
        }
        return $account;
    }

    /**
     * Whether the user let this site use their account. Right after they did, this fetches the token.
     *
     * @return bool
     * @throws failure when the repository is needed for the answer and cannot be asked
     */
    public function is_connected(): bool {
        try {
            return $this->client->is_logged_in();
        } catch (outage $outage) {
            throw new failure($outage->reason, (object) ['host' => $this->host()], $outage->getMessage());
        } catch (\moodle_exception $exception) {
            // The code that the user came back with was not taken: it is old, or this site is not approved (any more).
            $said = (object) ['host' => $this->host()];
            throw new account_required('connectionrefused', $said, $exception->getMessage() . ' ' . $exception->debuginfo);
        }
    }

    /**
     * Where the user allows it.
     *
     * @return \moodle_url
     */
    public function login_url(): \moodle_url {
        return $this->client->get_login_url();
    }

    /**
     * The token to send.
     *
     * @return string
     * @throws account_required
     * @throws failure
     */
    public function token(): string {
        if (!$this->is_connected()) {
            throw new account_required('accountrequired', (object) ['host' => $this->host()]);
        }
        return $this->client->get_accesstoken()->token;
    }

    /**
     * Get a new token, the old one is not taken any more.
     *
     * @return void
     * @throws account_required when there is none to be had: the connection is gone
     * @throws failure
     */
    public function renew(): void {
        $this->client->forget_access_token();
        $this->token();
    }

    /**
     * Take the connection away, here and at the repository (RFC 7009). There the refresh token ends all that came of the
     * user's consent, an access token only itself.
     *
     * @return void
     */
    public function disconnect(): void {
        global $DB, $USER;
        $issuer = $this->client->get_issuer();
        $kept = ['userid' => $USER->id, 'issuerid' => $issuer->get('id')];
        $token = $DB->get_field('oauth2_refresh_token', 'token', $kept) ?: ($this->client->get_accesstoken()->token ?? '');
        $endpoint = $issuer->get_endpoint_url('revocation');
        if ($endpoint && $token !== '') {
            try {
                (new http($endpoint))->request('POST', '', ['Content-Type: application/x-www-form-urlencoded'], [
                    'CURLOPT_POSTFIELDS' => http_build_query([
                        'token' => $token,
                        'client_id' => $issuer->get('clientid'),
                        'client_secret' => $issuer->get('clientsecret'),
                    ], '', '&'),
                ]);
            } catch (failure $failure) {
                unset($failure); // It is gone from here all the same, and ends by itself there.
            }
        }
        $this->client->log_out();
    }

    /**
     * The repository's host, for people.
     *
     * @return string
     */
    private function host(): string {
        return (string) parse_url($this->client->get_issuer()->get('baseurl'), PHP_URL_HOST);
    }
}
