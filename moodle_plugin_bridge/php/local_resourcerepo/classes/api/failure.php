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

/**
 * Something with the repository did not work, in a sentence that says what to do.
 *
 * The error code is also the name of the string, without its "failure_".
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class failure extends \moodle_exception {
    /** @var int The HTTP status of the answer, 0 where there was none. */
    public $status;

    /** @var string The repository's own code of the problem (docs/errors.md there), empty where it gave none. */
    public $problem;

    /** @var int Seconds after which the repository wants to be asked again, 0 where it did not say. */
    public $retryafter;

    /** @var string What went wrong, without the component's prefix. */
    public $reason;

    /** @var bool Whether the same may work in a moment: the connection broke, or the repository is down or busy. */
    public $transient = false;

    /**
     * Constructor.
     *
     * @param string $reason what went wrong: a string "failure_$reason" exists
     * @param mixed $a for the string
     * @param string|null $debuginfo for developers and logs only
     * @param int $status the HTTP status of the answer
     * @param string $problem the repository's own code of the problem
     * @param int $retryafter seconds after which to ask again
     */
    public function __construct(
        string $reason,
        $a = null,
        ?string $debuginfo = null,
        int $status = 0,
        string $problem = '',
        int $retryafter = 0
    ) {
        $this->reason = $reason;
        $this->status = $status;
        $this->problem = $problem;
        $this->retryafter = $retryafter;
        $this->transient = in_array($reason, ['unreachable', 'slow', 'busy', 'broken', 'brokenoff'], true);
        parent::__construct('failure_' . $reason, 'local_resourcerepo', '', $a, $debuginfo);
    }

    /**
     * The failure that an answer of the repository stands for.
     *
     * @param response $response an answer with a status of 400 or more, or one that cannot be used
     * @param string $host the host, for people
     * @return self
     */
    public static function of_response(response $response, string $host): self {
        $problem = $response->problem();
        $detail = self::text($problem['detail'] ?? '');
        $advice = self::text($problem['advice'] ?? '');
        $code = is_string($problem['code'] ?? null) ? clean_param($problem['code'], PARAM_ALPHANUMEXT) : '';
        $retryafter = max(0, (int) $response->header('retry-after'));
        $debuginfo = $response->status . ' ' . $code . ' ' . self::text($problem['request_id'] ?? '');
        $minutes = max(1, (int) ceil($retryafter / 60));
        $said = (object) ['host' => $host, 'detail' => $detail, 'advice' => $advice, 'minutes' => $minutes];
        switch (true) {
            case $response->status === 401:
            case $code === 'insufficient-scope':
                return new account_required('accountrequired', $said, $debuginfo, $response->status, $code);
            case $detail === '' && $response->status === 404:
                // No problem document: this address is not the API of a repository.
                return new self('notarepository', $said, $debuginfo, $response->status);
            case $response->status === 404:
                return new self('notfound', $said, $debuginfo, $response->status, $code);
            case $response->status === 410:
                return new self('gone', $said, $debuginfo, $response->status, $code);
            case in_array($response->status, [502, 504], true):
            case $detail === '' && in_array($response->status, [429, 503], true):
                // So says a front server whose repository is down.
                return new self('unreachable', $said, $debuginfo, $response->status, $code, $retryafter);
            case in_array($response->status, [429, 503], true):
                return new self('busy', $said, $debuginfo, $response->status, $code, $retryafter);
            case $response->status === 507:
                return new self('full', $said, $debuginfo, $response->status, $code);
            case $response->status >= 500 || $detail === '':
                return new self('broken', $said, $debuginfo, $response->status, $code);
            default:
                return new self('refused', $said, $debuginfo, $response->status, $code);
        }
    }

    /**
     * The failure that an error of libcurl stands for.
     *
     * @param int $errno CURLE_…, 0 where Moodle's own security refused the address
     * @param string $error what libcurl says
     * @param string $host the host, for people
     * @return self
     */
    public static function of_curl(int $errno, string $error, string $host): self {
        $said = (object) ['host' => $host];
        $debuginfo = "cURL error {$errno}: {$error}";
        switch ($errno) {
            case 0:
                return new self('blocked', $said, $debuginfo);
            case CURLE_OPERATION_TIMEOUTED:
                return new self('slow', $said, $debuginfo);
            case CURLE_PARTIAL_FILE:
            case CURLE_RECV_ERROR:
            case CURLE_SEND_ERROR:
                return new self('brokenoff', $said, $debuginfo);
            case CURLE_SSL_CONNECT_ERROR:
            case CURLE_SSL_CACERT:
            case CURLE_SSL_CACERT_BADFILE:
                return new self('untrusted', $said, $debuginfo);
            default:
                return new self('unreachable', $said, $debuginfo);
        }
    }

    /**
     * What the repository says, as plain text of a bearable length.
     *
     * @param mixed $value
     * @return string
     */
    private static function text($value): string {
        return is_string($value) ? trim(shorten_text(clean_param($value, PARAM_NOTAGS), 500)) : '';
    }
}
