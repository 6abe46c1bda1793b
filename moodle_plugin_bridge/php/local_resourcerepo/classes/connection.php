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

namespace local_resourcerepo;

use local_resourcerepo\api\failure;

/**
 * Where the repository is, as the administrator set it.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class connection {
    /** @var int Seconds for a download or an upload, where the administrator set nothing else. */
    const TRANSFER_TIMEOUT = 1800;

    /**
     * Whether an address is set.
     *
     * @return bool
     */
    public static function is_configured(): bool {
        return self::normalised((string) get_config('local_resourcerepo', 'baseurl')) !== null;
    }

    /**
     * Address of the repository, without a slash at its end.
     *
     * @return string
     * @throws failure when none is set
     */
    public static function baseurl(): string {
        $baseurl = self::normalised((string) get_config('local_resourcerepo', 'baseurl'));
        if ($baseurl === null) {
            throw new failure('notconfigured');
        }
        return $baseurl;
    }

    /**
     * Seconds for a whole download or upload.
     *
     * @return int
     */
    public static function transfer_timeout(): int {
        return max(30, (int) get_config('local_resourcerepo', 'transfertimeout') ?: self::TRANSFER_TIMEOUT);
    }

    /**
     * An address as it is used: https, a host, nothing after the path, no slash at its end.
     *
     * @param string $address as it was typed
     * @return string|null null where it is no such address
     */
    public static function normalised(string $address): ?string {
        $address = trim($address);
        $parts = parse_url($address);
        if (!$parts || strtolower($parts['scheme'] ?? '') !== 'https' || empty($parts['host'])) {
            return null;
        }
        if (isset($parts['query']) || isset($parts['fragment']) || isset($parts['user']) || isset($parts['pass'])) {
            return null;
        }
        $address = rtrim($address, '/');
        return clean_param($address, PARAM_URL) === $address ? $address : null;
    }
}
