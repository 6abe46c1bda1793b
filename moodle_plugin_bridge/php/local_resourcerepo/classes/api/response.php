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
 * An answer of the repository: status, headers and a body of moderate size.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class response {
    /** @var int The HTTP status. */
    public $status;

    /** @var string[] The headers of the last hop, by name in lower case. */
    public $headers = [];

    /** @var string The body, empty where it went elsewhere. */
    public $body;

    /**
     * Constructor.
     *
     * @param int $status
     * @param array $headers as \curl::getResponse() gives them: name => value or values
     * @param string $body
     */
    public function __construct(int $status, array $headers, string $body) {
        $this->status = $status;
        $this->body = $body;
        foreach ($headers as $name => $value) {
            $this->headers[strtolower($name)] = is_array($value) ? implode(', ', $value) : (string) $value;
        }
    }

    /**
     * A header, empty where it is missing.
     *
     * @param string $name in lower case
     * @return string
     */
    public function header(string $name): string {
        return $this->headers[$name] ?? '';
    }

    /**
     * The body as JSON object.
     *
     * @return \stdClass|null null where it is none
     */
    public function json(): ?\stdClass {
        $decoded = json_decode($this->body);
        return $decoded instanceof \stdClass ? $decoded : null;
    }

    /**
     * What went wrong in the words of the repository: a problem (RFC 9457), or an error of OAuth (RFC 6749, section 5.2).
     *
     * @return array with detail, code and what else a problem has; empty where the body is neither
     */
    public function problem(): array {
        $decoded = json_decode($this->body, true);
        if (!is_array($decoded)) {
            return [];
        }
        if (strpos($this->header('content-type'), 'application/problem+json') === 0) {
            return $decoded;
        }
        if (is_string($decoded['error'] ?? null)) {
            return ['code' => $decoded['error'], 'detail' => $decoded['error_description'] ?? $decoded['error']];
        }
        return [];
    }
}
