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
use core_privacy\local\request\approved_contextlist;
use core_privacy\local\request\userlist;
use core_privacy\local\request\writer;
use local_resourcerepo\job\job;

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
     * What goes to the repository and what is kept here is declared, in words.
     */
    public function test_metadata(): void {
        $items = provider::get_metadata(new collection('local_resourcerepo'))->get_collection();
        $this->assertCount(3, $items);
        foreach ($items as $item) {
            $strings = array_filter(array_merge([$item->get_summary()], (array) $item->get_privacy_fields()));
            foreach ($strings as $string) {
                $this->assertTrue(get_string_manager()->string_exists($string, 'local_resourcerepo'), $string);
            }
        }
    }

    /**
     * Of who shared and added nothing there is nothing.
     */
    public function test_nothing_kept(): void {
        $this->resetAfterTest();
        $user = $this->getDataGenerator()->create_user();
        $this->assertCount(0, provider::get_contexts_for_userid($user->id));
    }

    /**
     * What somebody shared can be had and forgotten, with its files, and nobody else's.
     */
    public function test_jobs(): void {
        $this->resetAfterTest();
        $course = $this->getDataGenerator()->create_course();
        foreach (['one', 'other'] as $name) {
            $users[$name] = $this->getDataGenerator()->create_user();
            $this->setUser($users[$name]);
            $contexts[$name] = \context_user::instance($users[$name]->id);
            $job = job::begin(job::SHARE, (int) $course->id, "Course of {$name}", ['kind' => 'course', 'id' => (int) $course->id]);
            get_file_storage()->create_file_from_string([
                'contextid' => $contexts[$name]->id, 'component' => 'local_resourcerepo', 'filearea' => 'job',
                'itemid' => $job->get('id'), 'filepath' => '/', 'filename' => 'backup.mbz',
            ], 'packed');
        }
        $this->assertSame([(int) $contexts['one']->id], array_map('intval',
            provider::get_contexts_for_userid($users['one']->id)->get_contextids()));
        $userlist = new userlist($contexts['one'], 'local_resourcerepo');
        provider::get_users_in_context($userlist);
        $this->assertSame([(int) $users['one']->id], array_map('intval', $userlist->get_userids()));

        $this->export_context_data_for_user($users['one']->id, $contexts['one'], 'local_resourcerepo');
        $exported = writer::with_context($contexts['one']);
        $id = job::get_record(['userid' => $users['one']->id])->get('id');
        $data = $exported->get_data([get_string('pluginname', 'local_resourcerepo'), $id]);
        $this->assertSame('Course of one', $data->title);

        $approved = new approved_contextlist($users['one'], 'local_resourcerepo', [$contexts['one']->id, $contexts['other']->id]);
        provider::delete_data_for_user($approved);
        $this->assertSame(0, job::count_records(['userid' => $users['one']->id]));
        $this->assertSame(1, job::count_records(['userid' => $users['other']->id]));
        $this->assertFalse(get_file_storage()->get_area_files($contexts['one']->id, 'local_resourcerepo', 'job') !== []);
        $this->assertNotEmpty(get_file_storage()->get_area_files($contexts['other']->id, 'local_resourcerepo', 'job'));

        provider::delete_data_for_all_users_in_context($contexts['other']);
        $this->assertSame(0, job::count_records());
    }
}
