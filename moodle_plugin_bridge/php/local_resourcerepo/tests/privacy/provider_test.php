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

namespace local_resourcerepo\privacy;

use core_privacy\local\metadata\collection;

/**
 * What is said of users' data.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_resourcerepo\privacy\provider
 */
final class provider_test extends \core_privacy\tests\provider_testcase {
    /**
     * What goes to the repository is declared, in words.
     */
    public function test_metadata(): void {
        $items = provider::get_metadata(new collection('local_resourcerepo'))->get_collection();
        $this->assertCount(1, $items);
        foreach (array_merge([$items[0]->get_summary()], $items[0]->get_privacy_fields()) as $string) {
            $this->assertTrue(get_string_manager()->string_exists($string, 'local_resourcerepo'), $string);
        }
    }

    /**
     * Nothing is kept here.
     */
    public function test_nothing_kept(): void {
        $this->resetAfterTest();
        $user = $this->getDataGenerator()->create_user();
        $this->assertCount(0, provider::get_contexts_for_userid($user->id));
    }
}
