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

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once($CFG->libdir . '/licenselib.php');

/**
 * The repository's licences, which are SPDX identifiers, and Moodle's, which are short names.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class licences {
    /**
     * What a licence is called on this site.
     *
     * Never another licence than the resource has: Moodle before 4.2 has no Creative Commons 4.0, and then it is unknown.
     *
     * @param string|null $licence of a resource
     * @return string short name of a licence that this site has
     * @throws api\failure
     */
    public static function shortname(?string $licence): string {
        $concept = catalogue::concepts('licences')[(string) $licence] ?? null;
        $names = array_merge($concept->exact_match->moodle ?? [], $concept->close_match->moodle ?? []);
        foreach ($names as $name) {
            if (\license_manager::get_license_by_shortname($name)) {
                return $name;
            }
        }
        return 'unknown';
    }

    /**
     * The repository's licence that a short name of Moodle's stands for.
     *
     * @param string $shortname
     * @return string|null null where it stands for none, such as a site's own
     * @throws api\failure
     */
    public static function licence(string $shortname): ?string {
        foreach (catalogue::concepts('licences') as $code => $concept) {
            if (in_array($shortname, $concept->exact_match->moodle ?? [], true)) {
                return $code;
            }
        }
        return null;
    }
}
