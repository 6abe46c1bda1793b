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

namespace repository_resourcerepo;

use local_resourcerepo\api\failure;
use local_resourcerepo\fake_catalogue;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once($CFG->dirroot . '/local/resourcerepo/tests/fixtures/fake_catalogue.php');

/**
 * Resources as files in the picker.
 *
 * @package    repository_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \repository_resourcerepo\item
 */
final class item_test extends \advanced_testcase {
    /**
     * A repository.
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
     * A resource of the catalogue.
     *
     * @param array $members
     * @param array $version
     * @return \stdClass
     */
    private function resource(array $members = [], array $version = []): \stdClass {
        return json_decode(json_encode(fake_catalogue::resource($members, $version)));
    }

    /**
     * Everything that a teacher chooses by is there, and the licence and the authors that the file will have.
     */
    public function test_of(): void {
        $item = item::of($this->resource());
        $this->assertSame('cells.mbz', $item['title']);
        $this->assertSame('Cells & their parts', $item['shorttitle']);
        $this->assertSame('Ada Lovelace, Bob', $item['author']);
        $this->assertSame(\local_resourcerepo\licences::shortname('CC-BY-4.0'), $item['license']);
        $this->assertSame(12345, $item['size']);
        $this->assertSame(gmmktime(4, 5, 6, 2, 3, 2026), $item['datemodified']);
        $this->assertSame('resource:' . fake_catalogue::ID, $item['source']);
        $this->assertStringContainsString('CC BY 4.0', $item['thumbnail_title']);
    }

    /**
     * What Moodle makes of it is said where that is more than a file, and not by a repository that does not know.
     */
    public function test_use(): void {
        $use = get_string('use_h5pactivity', 'repository_resourcerepo');
        $item = item::of($this->resource([], ['moodle_use' => 'h5pactivity']));
        $this->assertStringContainsString($use, $item['thumbnail_title']);
        foreach ([['moodle_use' => 'resource'], ['moodle_use' => 'x'], []] as $version) {
            $this->assertStringEndsWith('CC BY 4.0', item::of($this->resource([], $version))['thumbnail_title']);
        }
    }

    /**
     * A draft is called one, and needs neither licence nor authors.
     */
    public function test_draft(): void {
        $draft = $this->resource(['visibility' => 'draft', 'licence' => null, 'authors' => []], ['released_at' => null]);
        $item = item::of($draft);
        $this->assertSame('Cells & their parts (draft)', $item['shorttitle']);
        $this->assertSame('unknown', $item['license']);
        $this->assertSame('Shared by Grace Hopper', $item['author']);
    }

    /**
     * The id goes forth and back.
     */
    public function test_id(): void {
        $this->assertSame(fake_catalogue::ID, item::id(item::source(fake_catalogue::ID)));
    }

    /**
     * Sources that this plugin did not make.
     *
     * @return array[]
     */
    public static function forged(): array {
        return [
            'nothing' => [''],
            'address' => ['https://evil.example/x.mbz'],
            'id alone' => [fake_catalogue::ID],
            'path' => ['resource:../../../etc/passwd'],
            'more' => ['resource:' . fake_catalogue::ID . '/../../me'],
            'line' => ['resource:' . fake_catalogue::ID . "\n"],
            'host' => ['resource:@evil.example/' . fake_catalogue::ID],
            'serialised' => ['O:8:"stdClass":0:{}'],
        ];
    }

    /**
     * Nobody makes this site fetch from elsewhere.
     *
     * @dataProvider forged
     * @param string $source
     */
    public function test_forged(string $source): void {
        $this->expectException(failure::class);
        item::id($source);
    }
}
