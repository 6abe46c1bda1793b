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

use local_resourcerepo\api\failure;
use local_resourcerepo\api\http;

/**
 * What the repository says about its authorisation server (RFC 8414).
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class metadata {
    /** @var string Where it stands below the repository's address. */
    const PATH = '/.well-known/oauth-authorization-server';

    /** @var string[] Addresses by name: authorization_endpoint, token_endpoint and whatever else ends like this. */
    public $endpoints;

    /** @var string[] */
    public $scopes;

    /**
     * Constructor.
     *
     * @param string[] $endpoints
     * @param string[] $scopes
     */
    private function __construct(array $endpoints, array $scopes) {
        $this->endpoints = $endpoints;
        $this->scopes = $scopes;
    }

    /**
     * Ask the repository.
     *
     * @param string $baseurl
     * @return self
     * @throws failure
     */
    public static function read(string $baseurl): self {
        try {
            $found = (new http($baseurl))->get(self::PATH);
        } catch (failure $failure) {
            if ($failure->status !== 404) {
                throw $failure;
            }
            throw new failure('noregistration', (object) ['host' => parse_url($baseurl, PHP_URL_HOST)], $failure->debuginfo, 404);
        }
        // RFC 8414, section 3.3: another issuer could have its endpoints put in the place of these.
        if (rtrim((string) ($found->issuer ?? ''), '/') !== $baseurl) {
            throw new failure('otherissuer', (object) ['baseurl' => $baseurl, 'issuer' => s((string) ($found->issuer ?? ''))]);
        }
        $endpoints = [];
        foreach ((array) $found as $name => $url) {
            if (substr($name, -9) !== '_endpoint' || !is_string($url)) {
                continue;
            }
            if (strpos($url, 'https://') !== 0 || clean_param($url, PARAM_URL) !== $url) {
                throw new failure('insecureendpoint', (object) ['name' => s($name)]);
            }
            $endpoints[clean_param($name, PARAM_ALPHANUMEXT)] = $url;
        }
        if (empty($endpoints['authorization_endpoint']) || empty($endpoints['token_endpoint'])) {
            throw new failure('notarepository', (object) ['host' => parse_url($baseurl, PHP_URL_HOST)], 'no OAuth endpoints');
        }
        $scopes = array_filter((array) ($found->scopes_supported ?? []), 'is_string');
        return new self($endpoints, array_values($scopes));
    }
}
