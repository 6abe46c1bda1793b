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

use local_resourcerepo\api\client;
use local_resourcerepo\api\failure;
use local_resourcerepo\oauth\metadata;
use local_resourcerepo\oauth\registration;

/**
 * "Test connection": what works from here, what does not, and what to do about it.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class diagnosis {
    /** @var string It works. */
    const WORKS = 'success';

    /** @var string It works, but something is left to do. */
    const LEFT = 'warning';

    /** @var string It does not work. */
    const BROKEN = 'error';

    /** @var array[] What was found: state and message, in the order it was tried. */
    private $found = [];

    /**
     * Try everything, up to what does not work.
     *
     * @return array[] each with state (see the constants) and message, a sentence as plain text
     */
    public static function run(): array {
        $test = new self();
        try {
            $test->catalogue();
            $test->accounts();
            $test->registered();
        } catch (failure $failure) {
            $test->found[] = ['state' => self::BROKEN, 'message' => $failure->getMessage()];
        }
        return $test->found;
    }

    /**
     * Can it be searched?
     *
     * @return void
     */
    private function catalogue(): void {
        $host = (object) ['host' => parse_url(connection::baseurl(), PHP_URL_HOST)];
        if ((new \core\files\curl_security_helper())->url_is_blocked(connection::baseurl())) {
            throw new failure('blocked', $host); // Asked beforehand: else developers are shown more of it than this sentence.
        }
        $found = client::for_everybody()->search([], 1);
        if (!isset($found->total)) {
            throw new failure('notarepository', $host);
        }
        $this->say(self::WORKS, 'test_catalogue', ['baseurl' => connection::baseurl(), 'count' => (int) $found->total]);
    }

    /**
     * Can teachers sign in?
     *
     * @return void
     */
    private function accounts(): void {
        try {
            $open = !empty(metadata::read(connection::baseurl())->endpoints['registration_endpoint']);
        } catch (failure $failure) {
            if ($failure->reason !== 'noregistration') {
                throw $failure;
            }
            $open = false;
        }
        $this->say($open ? self::WORKS : self::LEFT, $open ? 'test_accounts' : 'test_noregistration');
    }

    /**
     * Does the repository know this site?
     *
     * @return void
     */
    private function registered(): void {
        $registered = registration::issuer() !== null;
        $this->say($registered ? self::WORKS : self::LEFT, $registered ? 'test_registered' : 'test_notregistered');
    }

    /**
     * Note what was found.
     *
     * @param string $state
     * @param string $string
     * @param array $a
     * @return void
     */
    private function say(string $state, string $string, array $a = []): void {
        $this->found[] = ['state' => $state, 'message' => get_string($string, 'local_resourcerepo', (object) $a)];
    }
}
