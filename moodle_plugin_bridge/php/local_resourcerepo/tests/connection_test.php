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
 * Where the repository is.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_resourcerepo\connection
 */
final class connection_test extends \advanced_testcase {
    /**
     * Addresses and what is used of them.
     *
     * @return array[]
     */
    public static function addresses(): array {
        return [
            'plain' => ['https://resources.example.org', 'https://resources.example.org'],
            'slash, white space' => [" https://resources.example.org/ ", 'https://resources.example.org'],
            'port and path' => ['https://example.org:8443/oer/', 'https://example.org:8443/oer'],
            'capital scheme' => ['HTTPS://example.org', 'HTTPS://example.org'],
            'not encrypted' => ['http://resources.example.org', null],
            'no scheme' => ['resources.example.org', null],
            'question' => ['https://example.org/?a=b', null],
            'fragment' => ['https://example.org/#top', null],
            'user' => ['https://me@example.org', null],
            'file' => ['file:///etc/passwd', null],
            'nothing' => ['', null],
            'not an address' => ['https://', null],
        ];
    }

    /**
     * Only what tokens may be sent to is an address.
     *
     * @dataProvider addresses
     * @param string $typed
     * @param string|null $used
     */
    public function test_normalised(string $typed, ?string $used): void {
        $this->assertSame($used, connection::normalised($typed));
    }

    /**
     * Without an address everything says what to do.
     */
    public function test_not_configured(): void {
        $this->resetAfterTest();
        $this->assertFalse(connection::is_configured());
        try {
            connection::baseurl();
            $this->fail('No failure');
        } catch (failure $failure) {
            $this->assertSame('notconfigured', $failure->reason);
            $this->assertStringContainsString('Ask your administrator', $failure->getMessage());
        }
        set_config('baseurl', 'https://resources.example.org', 'local_resourcerepo');
        $this->assertSame('https://resources.example.org', connection::baseurl());
    }

    /**
     * The time for transfers is the administrator's, within reason.
     */
    public function test_transfer_timeout(): void {
        $this->resetAfterTest();
        unset_config('transfertimeout', 'local_resourcerepo');
        $this->assertSame(connection::TRANSFER_TIMEOUT, connection::transfer_timeout());
        set_config('transfertimeout', 7200, 'local_resourcerepo');
        $this->assertSame(7200, connection::transfer_timeout());
        set_config('transfertimeout', 1, 'local_resourcerepo');
        $this->assertSame(30, connection::transfer_timeout());
    }
}
