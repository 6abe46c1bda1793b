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

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once($CFG->libdir . '/licenselib.php');
require_once(__DIR__ . '/fixtures/fake_catalogue.php');

/**
 * Licences of the repository and of this site.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_resourcerepo\licences
 * @covers     \local_resourcerepo\catalogue
 */
final class licences_test extends \advanced_testcase {
    /**
     * A repository that answers once: the rest comes from the cache.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        fake_catalogue::configure();
        fake_catalogue::answers(fake_catalogue::licences());
    }

    /**
     * Answers that nobody asked for are not for the next test.
     */
    protected function tearDown(): void {
        fake_catalogue::forget_answers();
        parent::tearDown();
    }

    /**
     * The same licence, or the nearest one, or none; never another one.
     */
    public function test_shortname(): void {
        $modern = (bool) \license_manager::get_license_by_shortname('cc-4.0'); // Since Moodle 4.2.
        $this->assertSame($modern ? 'cc-4.0' : 'unknown', licences::shortname('CC-BY-4.0'));
        $this->assertSame('public', licences::shortname('CC0-1.0'));
        $this->assertSame('unknown', licences::shortname('MIT'));
        $this->assertSame('unknown', licences::shortname('no-such-licence'));
        $this->assertSame('unknown', licences::shortname(null));
    }

    /**
     * The way back takes exact ones only: "public" is no CC0.
     */
    public function test_licence(): void {
        $this->assertSame('CC-BY-4.0', licences::licence('cc-4.0'));
        $this->assertSame('CC-BY-SA-3.0', licences::licence('cc-sa'));
        $this->assertNull(licences::licence('public'));
        $this->assertNull(licences::licence('our-own'));
    }

    /**
     * Another repository has another cache.
     */
    public function test_another_repository(): void {
        licences::shortname('MIT');
        fake_catalogue::take_down();
        $this->expectException(failure::class);
        licences::shortname('MIT');
    }
}
