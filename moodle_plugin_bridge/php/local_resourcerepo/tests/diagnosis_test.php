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

require_once(__DIR__ . '/fixtures/fake_catalogue.php');

/**
 * "Test connection".
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_resourcerepo\diagnosis
 */
final class diagnosis_test extends \advanced_testcase {
    /**
     * Answers that nobody asked for are not for the next test.
     */
    protected function tearDown(): void {
        fake_catalogue::forget_answers();
        parent::tearDown();
    }

    /**
     * The states and sentences of a test.
     *
     * @return string[] states
     */
    private function run_test(): array {
        $found = diagnosis::run();
        foreach ($found as $one) {
            $this->assertStringNotContainsString('[[', $one['message']);
        }
        return array_column($found, 'state');
    }

    /**
     * Without an address there is one thing to do.
     */
    public function test_not_configured(): void {
        $this->resetAfterTest();
        $this->assertSame([diagnosis::BROKEN], $this->run_test());
    }

    /**
     * All is well, up to what is left to do.
     */
    public function test_not_registered(): void {
        $this->resetAfterTest();
        fake_catalogue::configure();
        $metadata = [
            'issuer' => fake_catalogue::BASEURL,
            'authorization_endpoint' => fake_catalogue::BASEURL . '/oauth/authorize',
            'token_endpoint' => fake_catalogue::BASEURL . '/oauth/token',
            'registration_endpoint' => fake_catalogue::BASEURL . '/oauth/register',
        ];
        fake_catalogue::answers(fake_catalogue::found([]), $metadata);
        $this->assertSame([diagnosis::WORKS, diagnosis::WORKS, diagnosis::LEFT], $this->run_test());
        unset($metadata['registration_endpoint']);
        fake_catalogue::answers(fake_catalogue::found([]), $metadata);
        $this->assertSame([diagnosis::WORKS, diagnosis::LEFT, diagnosis::LEFT], $this->run_test());
    }

    /**
     * What answers may be something else, or nothing may.
     */
    public function test_broken(): void {
        $this->resetAfterTest();
        fake_catalogue::configure();
        fake_catalogue::answers(['hello' => 'world']);
        $this->assertSame([diagnosis::BROKEN], $this->run_test());
        fake_catalogue::take_down();
        $this->assertSame([diagnosis::BROKEN], $this->run_test());
    }

    /**
     * What Moodle's own security does not allow is told in one sentence, without Moodle's words to developers.
     */
    public function test_blocked(): void {
        $this->resetAfterTest();
        fake_catalogue::configure();
        set_config('curlsecurityblockedhosts', parse_url(fake_catalogue::BASEURL, PHP_URL_HOST));
        $this->assertSame([diagnosis::BROKEN], $this->run_test());
        $this->assertDebuggingNotCalled();
    }
}
