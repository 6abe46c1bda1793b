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

namespace local_resourcerepo\output;

use local_resourcerepo\api\failure;
use local_resourcerepo\share\subject;

/**
 * What of a course can be shared: all of it, its sections and its activities.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class share_chooser implements \renderable, \templatable {
    /** @var \stdClass */
    private $course;

    /**
     * Constructor.
     *
     * @param \stdClass $course
     */
    public function __construct(\stdClass $course) {
        $this->course = $course;
    }

    /**
     * For the template.
     *
     * @param \renderer_base $output
     * @return array
     */
    public function export_for_template(\renderer_base $output) {
        $modinfo = get_fast_modinfo($this->course);
        $sections = [];
        foreach ($modinfo->get_section_info_all() as $section) {
            $activities = [];
            foreach ($modinfo->sections[$section->section] ?? [] as $cmid) {
                $activities[] = $this->entry(subject::ACTIVITY, $cmid) + [
                    'type' => get_string('modulename', $modinfo->get_cm($cmid)->modname),
                ];
            }
            $activities = array_values(array_filter($activities, function(array $entry): bool {
                return $entry['allowed'];
            }));
            if ($activities) {
                $sections[] = $this->entry(subject::SECTION, (int) $section->id) + ['activities' => $activities];
            }
        }
        return [
            'course' => $this->entry(subject::COURSE, (int) $this->course->id),
            'sections' => $sections,
            'hassections' => (bool) $sections,
        ];
    }

    /**
     * One thing to choose.
     *
     * @param string $kind
     * @param int $id
     * @return array
     */
    private function entry(string $kind, int $id): array {
        try {
            $subject = subject::find($kind, $id);
        } catch (failure $failure) {
            return ['allowed' => false, 'name' => ''];
        }
        $parameter = ['course' => 'whole', 'section' => 'section', 'activity' => 'cmid'][$kind];
        $url = new \moodle_url('/local/resourcerepo/share.php', [$parameter => $id]);
        return [
            'allowed' => $subject->is_allowed(),
            'name' => $subject->name(),
            'label' => get_string('sharesubject', 'local_resourcerepo', $subject->name()),
            'url' => $url->out(false),
        ];
    }
}
