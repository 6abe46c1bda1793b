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
 * The repository as folders.
 *
 * @package    repository_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \repository_resourcerepo\browser
 */
final class browser_test extends \advanced_testcase {
    /**
     * A repository.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
        fake_catalogue::configure();
    }

    /**
     * Answers that nobody asked for are not for the next test.
     */
    protected function tearDown(): void {
        fake_catalogue::forget_answers();
        parent::tearDown();
    }

    /**
     * Values of one field of a list.
     *
     * @param array $listing
     * @param string $field
     * @return array
     */
    private function column(array $listing, string $field): array {
        return array_column($listing['list'], $field);
    }

    /**
     * The first folders are there without asking the repository; one's own only where one can have an account.
     */
    public function test_roots(): void {
        $listing = (new browser(null))->folder('', 1);
        $this->assertSame(['newest', 'subject', 'level', 'type'], $this->column($listing, 'path'));
    }

    /**
     * Subjects that have resources, with how many, by name; deeper ones inside, before the resources.
     */
    public function test_subjects(): void {
        $counts = fake_catalogue::found([], null, ['subject' => ['06' => 1, '05' => 3, '051' => 2]]);
        fake_catalogue::answers($counts, fake_catalogue::subjects());
        $listing = (new browser(null))->folder('subject', 1);
        $this->assertSame(['Computing (1)', 'Natural sciences (3)'], $this->column($listing, 'title'));
        $this->assertSame(['subject/06', 'subject/05'], $this->column($listing, 'path'));
        fake_catalogue::answers(fake_catalogue::found([fake_catalogue::resource()]), fake_catalogue::licences());
        $listing = (new browser(null))->folder('subject/05', 1);
        $this->assertSame(['Biological sciences (2)', 'cells.mbz'], $this->column($listing, 'title'));
        $this->assertSame(['Resources repository', 'Subjects', 'Natural sciences'], array_column($listing['path'], 'name'));
    }

    /**
     * The pages of a list go on where the one before ended, and end.
     */
    public function test_pages(): void {
        $browser = new browser(null);
        $one = fake_catalogue::resource();
        $two = fake_catalogue::resource(['title' => 'Another']);
        fake_catalogue::answers(fake_catalogue::found([$one], 'next'), fake_catalogue::licences());
        $listing = $browser->folder('newest', 1);
        $this->assertSame([1, -1], [$listing['page'], $listing['pages']]);
        fake_catalogue::answers(fake_catalogue::found([$two]));
        $listing = $browser->folder('newest', 2);
        $this->assertSame(['Another'], $this->column($listing, 'shorttitle'));
        $this->assertSame([2, 2], [$listing['page'], $listing['pages']]);
        $this->assertSame([], $browser->folder('newest', 7)['list'], 'A page that nobody was offered.');
    }

    /**
     * Only what the form takes is shown, and pages without any are passed over.
     */
    public function test_accepted(): void {
        $picture = fake_catalogue::resource(['title' => 'A cell'], ['file_name' => 'cell.PNG']);
        fake_catalogue::answers(
            fake_catalogue::found([fake_catalogue::resource()], 'next'),
            fake_catalogue::found([fake_catalogue::resource(), $picture]),
            fake_catalogue::licences()
        );
        $listing = (new browser(['.png', '.jpg']))->folder('newest', 1);
        $this->assertSame(['A cell'], $this->column($listing, 'shorttitle'));
        $this->assertSame([2, 2], [$listing['page'], $listing['pages']]);
    }

    /**
     * What is no folder is refused.
     */
    public function test_no_folder(): void {
        fake_catalogue::answers(fake_catalogue::subjects());
        foreach (['elsewhere', '../mine', 'subject/99', 'newest/x'] as $path) {
            try {
                (new browser(null))->folder($path, 1);
                $this->fail($path);
            } catch (failure $failure) {
                $this->assertSame('notfound', $failure->reason);
            }
        }
    }
}
