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
require_once($CFG->dirroot . '/local/resourcerepo/lib.php');
require_once(__DIR__ . '/fixtures/fake_catalogue.php');

/**
 * Where sharing and adding are offered.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     ::local_resourcerepo_extend_navigation_course
 * @covers     ::local_resourcerepo_extend_settings_navigation
 */
final class lib_test extends \advanced_testcase {
    /** @var \stdClass */
    private $course;

    /**
     * A course.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        fake_catalogue::configure();
        $this->course = $this->getDataGenerator()->create_course();
    }

    /**
     * Keys of what is offered in the course.
     *
     * @return string[]
     */
    private function offered(): array {
        $node = \navigation_node::create('Course');
        local_resourcerepo_extend_navigation_course($node, $this->course, \context_course::instance($this->course->id));
        return $node->get_children_key_list();
    }

    /**
     * Teachers are offered both, learners nothing; nor anybody where no repository is set up.
     */
    public function test_course(): void {
        $this->setUser($this->getDataGenerator()->create_and_enrol($this->course, 'editingteacher'));
        $this->assertSame(['local_resourcerepo_find', 'local_resourcerepo_share'], $this->offered());
        $this->setUser($this->getDataGenerator()->create_and_enrol($this->course, 'student'));
        $this->assertSame([], $this->offered());
        $this->setAdminUser();
        unset_config('baseurl', 'local_resourcerepo');
        $this->assertSame([], $this->offered());
    }

    /**
     * An activity is shared from its own navigation.
     */
    public function test_activity(): void {
        $page = $this->getDataGenerator()->create_module('page', ['course' => $this->course->id]);
        $cm = get_fast_modinfo($this->course)->get_cm($page->cmid);
        foreach (['editingteacher' => true, 'student' => false] as $role => $expected) {
            $this->setUser($this->getDataGenerator()->create_and_enrol($this->course, $role));
            $moodlepage = new \moodle_page();
            $moodlepage->set_cm($cm, $this->course);
            $moodlepage->set_url('/mod/page/view.php', ['id' => $cm->id]);
            $GLOBALS['PAGE'] = $moodlepage;
            $settings = new \settings_navigation($moodlepage);
            $settings->initialise();
            $found = $settings->find('local_resourcerepo_share', \navigation_node::TYPE_SETTING);
            $this->assertSame($expected, (bool) $found, $role);
        }
    }
}
