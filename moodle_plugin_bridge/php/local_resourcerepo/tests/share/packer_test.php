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

namespace local_resourcerepo\share;

use local_resourcerepo\api\failure;

/**
 * Backups of what is shared.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_resourcerepo\share\packer
 * @covers     \local_resourcerepo\share\subject
 */
final class packer_test extends \advanced_testcase {
    /** @var \stdClass */
    private $course;

    /** @var \stdClass */
    private $teacher;

    /** @var \stdClass A forum in which a learner has written. */
    private $forum;

    /**
     * A course with a teacher, and with a learner who left something everywhere.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $generator = $this->getDataGenerator();
        $this->course = $generator->create_course(['fullname' => 'Biology', 'shortname' => 'BIO/7', 'numsections' => 2]);
        $this->teacher = $generator->create_and_enrol($this->course, 'editingteacher');
        $learner = $generator->create_and_enrol($this->course, 'student', ['username' => 'learner-oak-7731']);
        $group = $generator->create_group(['courseid' => $this->course->id, 'enrolmentkey' => 'group-key-elm']);
        $generator->create_group_member(['groupid' => $group->id, 'userid' => $learner->id]);
        $this->forum = $generator->create_module('forum', ['course' => $this->course->id, 'section' => 1, 'name' => 'Cells']);
        $generator->get_plugin_generator('mod_forum')->create_discussion([
            'course' => $this->course->id, 'forum' => $this->forum->id, 'userid' => $learner->id,
            'message' => 'I am learner-oak-7731.',
        ]);
        $generator->create_module('page', ['course' => $this->course->id, 'section' => 2, 'name' => 'Osmosis']);
        $this->setUser($this->teacher);
    }

    /**
     * Pack something.
     *
     * @param subject $subject
     * @return \stored_file
     */
    private function pack(subject $subject): \stored_file {
        return packer::pack($subject, (int) $this->teacher->id, (object) [
            'contextid' => \context_user::instance($this->teacher->id)->id,
            'component' => 'local_resourcerepo', 'filearea' => 'job', 'itemid' => 1, 'filepath' => '/', 'filename' => 'backup.mbz',
        ], new \core\progress\none());
    }

    /**
     * What is in a backup: contents by path.
     *
     * @param \stored_file $file
     * @return string[]
     */
    private function contents(\stored_file $file): array {
        $folder = make_request_directory();
        $file->extract_to_pathname(get_file_packer('application/vnd.moodle.backup'), $folder);
        $contents = [];
        $all = new \RecursiveIteratorIterator(new \RecursiveDirectoryIterator($folder, \FilesystemIterator::SKIP_DOTS));
        foreach ($all as $path) {
            $contents[substr($path, strlen($folder) + 1)] = file_get_contents($path);
        }
        return $contents;
    }

    /**
     * Kinds of subjects.
     *
     * @return array[]
     */
    public static function kinds(): array {
        return [['course'], ['section'], ['activity']];
    }

    /**
     * A subject of a kind.
     *
     * @param string $kind
     * @return subject
     */
    private function subject(string $kind): subject {
        $ids = [
            'course' => (int) $this->course->id,
            'section' => (int) get_fast_modinfo($this->course)->get_section_info(1)->id,
            'activity' => (int) $this->forum->cmid,
        ];
        return subject::find($kind, $ids[$kind]);
    }

    /**
     * Nothing of people is in it, and no key of a group, even where the site includes users and does not let go of that.
     *
     * @dataProvider kinds
     * @param string $kind
     */
    public function test_nothing_of_people(string $kind): void {
        set_config('backup_general_users', 1, 'backup');
        set_config('backup_general_users_locked', 1, 'backup');
        set_config('backup_general_groups', 1, 'backup');
        set_config('backup_general_groups_locked', 1, 'backup');
        $roleid = $this->getDataGenerator()->create_role(['archetype' => 'manager']);
        assign_capability('moodle/backup:userinfo', CAP_ALLOW, $roleid, \context_system::instance());
        role_assign($roleid, $this->teacher->id, \context_system::instance());
        $contents = $this->contents($this->pack($this->subject($kind)));
        $this->assertArrayHasKey('moodle_backup.xml', $contents);
        $this->assertStringContainsString("<type>{$kind}</type>", $contents['moodle_backup.xml']);
        $this->assertArrayNotHasKey('users.xml', $contents);
        foreach ($contents as $path => $content) {
            $this->assertStringNotContainsString('learner-oak-7731', $content, $path);
            $this->assertStringNotContainsString('group-key-elm', $content, $path);
        }
        $this->assertStringContainsString('<name>Cells</name>', implode('', $contents));
    }

    /**
     * Who may make backups but not choose what is in them shares nothing of people, either.
     */
    public function test_who_may_not_configure(): void {
        $context = \context_course::instance($this->course->id);
        $roleid = $this->getDataGenerator()->create_role();
        assign_capability('moodle/backup:configure', CAP_PROHIBIT, $roleid, $context);
        assign_capability('moodle/backup:userinfo', CAP_ALLOW, $roleid, $context);
        role_assign($roleid, $this->teacher->id, $context);
        $this->assertArrayNotHasKey('users.xml', $this->contents($this->pack($this->subject('course'))));
    }

    /**
     * Keys of enrolment methods are in it: that is why the survey warns of them.
     */
    public function test_enrolment_keys_are_packed_by_moodle(): void {
        global $DB;
        $DB->set_field('enrol', 'password', 'SELF-KEY', ['courseid' => $this->course->id, 'enrol' => 'self']);
        $contents = $this->contents($this->pack($this->subject('course')));
        $this->assertStringContainsString('SELF-KEY', $contents['course/enrolments.xml']);
        $this->assertNotEmpty((new survey($this->subject('course')))->keys());
    }

    /**
     * Nothing stays but the file that was asked for: no backup of the user's, no temporary files; and theirs are not touched.
     */
    public function test_leaves_nothing(): void {
        global $DB;
        $own = ['contextid' => \context_user::instance($this->teacher->id)->id, 'component' => 'user', 'filearea' => 'backup'];
        $own += ['itemid' => 0, 'filepath' => '/', 'filename' => 'backup.mbz'];
        get_file_storage()->create_file_from_string($own, 'mine');
        $before = scandir(make_backup_temp_directory(''));
        $file = $this->pack($this->subject('course'));
        $this->assertSame($before, scandir(make_backup_temp_directory('')));
        $files = $DB->get_fieldset_select('files', 'filename', "filename LIKE '%.mbz'", []);
        $this->assertSame(['backup.mbz', 'backup.mbz'], $files);
        $this->assertGreaterThan(1000, $file->get_filesize());
    }

    /**
     * Who may not make backups gets none.
     */
    public function test_capability_is_moodles(): void {
        $this->teacher = $this->getDataGenerator()->create_and_enrol($this->course, 'teacher');
        try {
            $this->pack($this->subject('course'));
            $this->fail('It was packed.');
        } catch (failure $failure) {
            $this->assertSame('sharenotallowed', $failure->reason);
        }
    }

    /**
     * Who may share what.
     */
    public function test_allowed(): void {
        foreach (self::kinds() as [$kind]) {
            $this->assertTrue($this->subject($kind)->is_allowed(), $kind);
        }
        $this->setUser($this->getDataGenerator()->create_and_enrol($this->course, 'student'));
        foreach (self::kinds() as [$kind]) {
            $this->assertFalse($this->subject($kind)->is_allowed(), $kind);
        }
        $this->setAdminUser();
        $this->assertFalse(subject::find('course', SITEID)->is_allowed());
    }

    /**
     * What is not there is told so.
     */
    public function test_gone(): void {
        foreach (['course', 'section', 'activity', 'nonsense'] as $kind) {
            try {
                subject::find($kind, 99999999);
                $this->fail($kind);
            } catch (failure $failure) {
                $this->assertSame('sourcegone', $failure->reason);
            }
        }
    }

    /**
     * Names of files are names of files.
     */
    public function test_filename(): void {
        $this->assertSame('BIO7.mbz', packer::filename($this->subject('course')));
        $this->assertSame('Cells.mbz', packer::filename($this->subject('activity')));
    }
}
