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

use local_resourcerepo\oauth\account;

/**
 * Requests to the repository, for nobody or for an account, and what their failures mean.
 *
 * Certificates are always verified, a token never follows a redirect, and no answer is kept in memory beyond a limit.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class http {
    /** @var int Seconds to reach the repository. */
    const CONNECT_TIMEOUT = 10;

    /** @var int Seconds for a whole answer. */
    const TIMEOUT = 30;

    /** @var int Bytes of an answer that is kept in memory: the contents of a large course are some megabytes of JSON. */
    const MAX_ANSWER = 33554432;

    /** @var string Address of the repository, without a slash at its end. */
    protected $baseurl;

    /** @var account|null For whom. */
    protected $account;

    /** @var int Seconds for a whole answer. */
    protected $timeout;

    /**
     * Constructor.
     *
     * @param string $baseurl address of the repository, without a slash at its end
     * @param account|null $account for whom; null for nobody
     * @param int $timeout seconds for a whole answer
     */
    public function __construct(string $baseurl, ?account $account = null, int $timeout = self::TIMEOUT) {
        $this->baseurl = $baseurl;
        $this->account = $account;
        $this->timeout = $timeout;
    }

    /**
     * Whether requests are made for an account.
     *
     * @return bool
     */
    public function has_account(): bool {
        return $this->account !== null;
    }

    /**
     * The host, for people.
     *
     * @return string
     */
    public function host(): string {
        return (string) parse_url($this->baseurl, PHP_URL_HOST);
    }

    /**
     * GET a JSON object.
     *
     * @param string $path below the repository's address, beginning with a slash
     * @param array $query values by name; a list is sent as an argument given several times
     * @return \stdClass
     * @throws failure
     */
    public function get(string $path, array $query = []): \stdClass {
        return $this->json('GET', $path . self::query($query));
    }

    /**
     * Send JSON and get a JSON object.
     *
     * @param string $method POST, PUT, PATCH
     * @param string $path below the repository's address, beginning with a slash
     * @param array $members of the JSON object to send
     * @return \stdClass an empty one where the repository says no more than that it is done
     * @throws failure
     */
    public function send(string $method, string $path, array $members = []): \stdClass {
        return $this->json($method, $path, json_encode((object) $members));
    }

    /**
     * A request with whatever headers and body, for the account if there is one, once more with a new token if
     * the old one is not taken any more.
     *
     * @param string $method
     * @param string $path below the repository's address, beginning with a slash
     * @param string[] $headers lines
     * @param array|\Closure $options more CURLOPT_… by name; or what gives them, called before each attempt
     * @param callable|null $sink called as sink(string $block, int $status, \curl $curl): bool with each block of the
     *      body instead of keeping it; false stops
     * @return response with a status below 400
     * @throws failure
     */
    public function request(
        string $method,
        string $path,
        array $headers = [],
        $options = [],
        ?callable $sink = null
    ): response {
        $url = $this->baseurl . $path;
        $attempt = function() use ($method, $url, $headers, $options, $sink): response {
            $headers = array_merge($headers, $this->authorisation());
            $options = $options instanceof \Closure ? $options() : $options;
            return $this->exchange($method, $url, $headers, $options, $sink);
        };
        $response = $attempt();
        if ($response->status === 401 && $this->account !== null) {
            $this->account->renew();
            $response = $attempt();
        }
        if ($response->status >= 400) {
            throw failure::of_response($response, $this->host());
        }
        return $response;
    }

    /**
     * Arguments of an address.
     *
     * @param array $query values by name; a list is sent as an argument given several times, null not at all
     * @return string with its question mark, or empty
     */
    public static function query(array $query): string {
        $pairs = [];
        foreach ($query as $name => $values) {
            foreach (is_array($values) ? $values : [$values] as $value) {
                if ($value !== null && $value !== '') {
                    $pairs[] = rawurlencode($name) . '=' . rawurlencode($value);
                }
            }
        }
        return $pairs ? '?' . implode('&', $pairs) : '';
    }

    /**
     * A request that is answered by JSON.
     *
     * @param string $method
     * @param string $path
     * @param string|null $body JSON
     * @return \stdClass
     */
    protected function json(string $method, string $path, ?string $body = null): \stdClass {
        $headers = ['Accept: application/json'];
        $options = [];
        if ($body !== null) {
            $headers[] = 'Content-Type: application/json';
            $options['CURLOPT_POSTFIELDS'] = $body;
        }
        $response = $this->request($method, $path, $headers, $options);
        $answer = $response->status === 204 ? new \stdClass() : $response->json();
        if ($response->status >= 300 || $answer === null) {
            $said = (object) ['host' => $this->host()];
            throw new failure('notarepository', $said, "no JSON, status {$response->status}", $response->status);
        }
        return $answer;
    }

    /**
     * The header that says for whom.
     *
     * @return string[]
     */
    protected function authorisation(): array {
        return $this->account === null ? [] : ['Authorization: Bearer ' . $this->account->token()];
    }

    /**
     * One request and its answer, whatever its status.
     *
     * @param string $method
     * @param string $url
     * @param string[] $headers lines
     * @param array $options more CURLOPT_… by name
     * @param callable|null $sink see request(); an answer of 400 and more is always kept, it says what went wrong
     * @return response
     * @throws failure when there is no whole answer
     */
    protected function exchange(string $method, string $url, array $headers, array $options, ?callable $sink): response {
        $curl = new curl_handle();
        $curl->setHeader($headers);
        $body = '';
        $thrown = null;
        $receive = function($handle, string $block) use ($curl, $sink, &$body, &$thrown): int {
            $status = (int) curl_getinfo($handle, CURLINFO_RESPONSE_CODE);
            if ($status >= 300 && $status < 400) {
                return strlen($block); // What a redirect says to people.
            }
            try {
                if ($sink !== null && $status < 300) {
                    return $sink($block, $status, $curl) ? strlen($block) : 0;
                }
            } catch (\Throwable $exception) {
                $thrown = $exception; // Libcurl is to let go of its handle first.
                return 0;
            }
            $body .= $block;
            return strlen($body) <= self::MAX_ANSWER ? strlen($block) : 0;
        };
        $returned = $curl->send($url, $options + $this->method($method) + [
            'CURLOPT_CONNECTTIMEOUT' => self::CONNECT_TIMEOUT,
            'CURLOPT_TIMEOUT' => $this->timeout,
            'CURLOPT_SSL_VERIFYPEER' => 1, // Moodle's default is not to.
            'CURLOPT_FOLLOWLOCATION' => 0,
            'CURLOPT_WRITEFUNCTION' => $receive,
        ]);
        $curl->resetopt(); // The closure is in there, and holds the handle: neither would go.
        if ($thrown !== null) {
            throw $thrown;
        }
        if ($curl->errno || empty($curl->info['http_code'])) {
            throw failure::of_curl((int) $curl->errno, (string) $curl->error, (string) parse_url($url, PHP_URL_HOST));
        }
        if (is_string($returned)) {
            $body = $returned; // What \curl::mock_response() gave for a test: no byte was received.
        }
        return new response((int) $curl->info['http_code'], $curl->getResponse(), $body);
    }

    /**
     * What tells libcurl the method.
     *
     * @param string $method
     * @return array CURLOPT_… by name
     */
    private function method(string $method): array {
        switch ($method) {
            case 'GET':
                return ['CURLOPT_HTTPGET' => 1];
            case 'HEAD':
                return ['CURLOPT_NOBODY' => 1];
            default:
                return ['CURLOPT_CUSTOMREQUEST' => $method];
        }
    }
}
