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

use core\oauth2\issuer;
use local_resourcerepo\api\http;

/**
 * Moodle's own OAuth 2 client, which keeps and refreshes the user's tokens, with three things that it lacks: it verifies
 * certificates, a token that is not taken any more can be forgotten without the connection, and a repository that is
 * down for a minute does not disconnect everybody.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class client extends \core\oauth2\client {
    /**
     * Constructor.
     *
     * @param issuer $issuer
     * @param \moodle_url|null $returnurl where to go on after the user allowed it
     */
    public function __construct(issuer $issuer, ?\moodle_url $returnurl) {
        parent::__construct($issuer, $returnurl, registration::SCOPES, false, true);
        $this->setopt([
            'CURLOPT_SSL_VERIFYPEER' => 1,
            'CURLOPT_CONNECTTIMEOUT' => http::CONNECT_TIMEOUT,
            'CURLOPT_TIMEOUT' => http::TIMEOUT,
            'CURLOPT_FOLLOWLOCATION' => 0,
        ]);
    }

    /**
     * Trade the code that the user has come back with, if they were sent from here.
     *
     * Moodle takes a code from the address of whatever page asks whether the account is connected
     * (oauth2_client::is_logged_in() in lib/oauthlib.php). On the way back it looks at the sesskey (admin/oauth2callback.php),
     * but a link can lead straight to a page: with the code of somebody else, whose account would then get what the user
     * shares.
     *
     * @param string $code
     * @return bool
     */
    public function upgrade_token($code) {
        $sesskey = optional_param('sesskey', '', PARAM_RAW);
        return $sesskey !== '' && confirm_sesskey($sesskey) && parent::upgrade_token($code);
    }

    /**
     * Forget the access token: the next question for one brings a new one.
     *
     * @return void
     */
    public function forget_access_token(): void {
        $this->store_token(null);
    }

    /**
     * Get a new token.
     *
     * @param string $refreshtoken
     * @return array|null
     * @throws outage when the repository could not be asked
     */
    protected function exchange_refresh_token(string $refreshtoken): ?array {
        if ($this->get_security()->url_is_blocked($this->token_url())) {
            throw new outage('blocked');
        }
        try {
            return parent::exchange_refresh_token($refreshtoken);
        } catch (\moodle_exception $exception) {
            $status = (int) ($this->info['http_code'] ?? 0);
            if ($status === 0 || $status === 429 || $status >= 500) {
                throw new outage('unreachable', "{$exception->getMessage()} {$status} {$this->error}");
            }
            throw $exception;
        }
    }
}
