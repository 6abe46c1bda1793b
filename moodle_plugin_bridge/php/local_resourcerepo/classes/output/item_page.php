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

use local_resourcerepo\add\forecast;
use local_resourcerepo\add\permission;

/**
 * A resource of the repository, and what of it may be added to a course.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class item_page implements \renderable, \templatable {
    /** @var \stdClass */
    private $course;

    /** @var \moodle_url Of this page. */
    private $url;

    /** @var \stdClass */
    private $resource;

    /** @var \stdClass */
    private $version;

    /** @var \stdClass */
    private $inspection;

    /** @var forecast|null */
    private $forecast;

    /** @var int Id of the section that things go to, unless the user chooses another. */
    private $sectionid;

    /**
     * Constructor.
     *
     * @param \stdClass $course
     * @param \moodle_url $url of this page
     * @param \stdClass $resource
     * @param \stdClass $version
     * @param \stdClass $inspection of this version
     * @param forecast|null $forecast null for what is no backup
     * @param int $sectionid that things go to, unless the user chooses another
     */
    public function __construct(
        \stdClass $course,
        \moodle_url $url,
        \stdClass $resource,
        \stdClass $version,
        \stdClass $inspection,
        ?forecast $forecast,
        int $sectionid
    ) {
        $this->course = $course;
        $this->url = $url;
        $this->resource = $resource;
        $this->version = $version;
        $this->inspection = $inspection;
        $this->forecast = $forecast;
        $this->sectionid = $sectionid;
    }

    /**
     * For the template.
     *
     * @param \renderer_base $output
     * @return array
     */
    public function export_for_template(\renderer_base $output) {
        $context = \context_course::instance($this->course->id);
        $coursename = format_string($this->course->fullname, true, ['context' => $context, 'escape' => false]);
        $kind = $this->inspection->kind;
        $isbackup = $kind !== 'file';
        $possible = $this->forecast === null || $this->forecast->verdict !== 'refused';
        $allowed = permission::allows($kind, $context) && $possible;
        $categories = $kind === 'course' && $possible ? $this->categories() : [];
        $outline = $isbackup ? $this->sections($this->inspection->outline ?? [], $context, $possible) : [];
        return resource_view::export($this->resource, $this->version) + [
            'summary' => clean_text((string) ($this->resource->summary ?? ''), FORMAT_HTML),
            'repourl' => preg_match('~\Ahttps://~i', (string) $this->resource->url) ? $this->resource->url : '',
            'filename' => $this->version->file_name,
            'isbackup' => $isbackup,
            'release' => preg_replace('/\s*\(.*$/', '', $this->inspection->moodle_release ?? ''),
            'sectioncount' => $this->inspection->sections ?? 0,
            'activitycount' => $this->inspection->activities ?? 0,
            'questioncount' => $this->inspection->questions ?? 0,
            'forecast' => $this->forecast === null ? null : [
                'state' => ['error' => 'danger'][$this->forecast->state()] ?? $this->forecast->state(),
                'sentence' => $this->forecast->sentence,
                'details' => $this->forecast->details,
                'hasdetails' => (bool) $this->forecast->details,
            ],
            'action' => $this->url->out(false),
            'sesskey' => sesskey(),
            'wholelabel' => get_string('addallhere', 'local_resourcerepo', $coursename),
            'iscourse' => $kind === 'course',
            'canwhole' => $allowed,
            'cannew' => (bool) $categories,
            'categories' => $categories,
            'canparts' => $this->can_parts($outline),
            'canplacewhole' => in_array($kind, ['activity', 'file'], true),
            'places' => $this->places(),
            'outline' => $outline,
            'hasoutline' => (bool) $outline,
            'notallowed' => !$allowed && !$categories && !$this->can_parts($outline) && $possible,
        ];
    }

    /**
     * Sections with their activities.
     *
     * @param \stdClass[] $sections of the inspection
     * @param \context_course $context
     * @param bool $possible whether Moodle would restore any of it
     * @param bool $within whether they are subsections: those are added as the activities that they are
     * @return array[]
     */
    private function sections(array $sections, \context_course $context, bool $possible, bool $within = false): array {
        $parts = $this->inspection->kind !== 'activity' && $possible && empty($this->inspection->includes_users);
        $cansection = $parts && !$within && permission::allows('section', $context);
        $canactivity = $parts && permission::allows('activity', $context);
        $exported = [];
        foreach ($sections as $section) {
            if (!$section->activities && trim($section->title . ($section->summary_text ?? '')) === '') {
                continue;
            }
            $activities = [];
            foreach ($section->activities as $activity) {
                $below = $this->sections($activity->sections ?? [], $context, $possible, true);
                $activities[] = [
                    'id' => $activity->id,
                    'title' => $activity->title,
                    'type' => $this->module($activity->module),
                    'missing' => !\core_component::get_component_directory("mod_{$activity->module}"),
                    'canchoose' => $canactivity,
                    'outline' => $below,
                    'hasoutline' => (bool) $below,
                ];
            }
            $exported[] = [
                'id' => $section->id,
                'title' => $this->section_title($section),
                'canchoose' => $cansection && $section->id !== null,
                'activities' => $activities,
            ];
        }
        return $exported;
    }

    /**
     * What a section is called.
     *
     * @param \stdClass $section
     * @return string
     */
    private function section_title(\stdClass $section): string {
        if ($section->title !== '' || $section->number === null) {
            return $section->title;
        }
        return $section->number ? get_string('sectionnumber', 'local_resourcerepo', $section->number) : get_string('general');
    }

    /**
     * Whether something of the outline can be chosen.
     *
     * @param array[] $outline
     * @return bool
     */
    private function can_parts(array $outline): bool {
        foreach ($outline as $section) {
            if ($section['canchoose'] || array_filter(array_column($section['activities'], 'canchoose'))) {
                return true;
            }
        }
        return false;
    }

    /**
     * What a module is called.
     *
     * @param string $module
     * @return string
     */
    private function module(string $module): string {
        return get_string_manager()->string_exists('modulename', "mod_{$module}")
            ? get_string('modulename', "mod_{$module}")
            : $module;
    }

    /**
     * Sections of the course.
     *
     * @return array[]
     */
    private function places(): array {
        $places = [];
        foreach (get_fast_modinfo($this->course)->get_section_info_all() as $section) {
            if (!empty($section->component)) {
                continue; // Within a subsection nothing is placed.
            }
            $places[] = [
                'id' => $section->id,
                'name' => html_entity_decode(strip_tags(get_section_name($this->course, $section)), ENT_QUOTES, 'UTF-8'),
                'selected' => (int) $section->id === $this->sectionid,
            ];
        }
        return $places;
    }

    /**
     * Categories for a new course.
     *
     * @return array[]
     */
    private function categories(): array {
        $categories = [];
        foreach (permission::categories() as $id => $name) {
            $selected = (int) $id === (int) $this->course->category;
            $name = html_entity_decode($name, ENT_QUOTES, 'UTF-8');
            $categories[] = ['id' => $id, 'name' => $name, 'selected' => $selected];
        }
        return $categories;
    }
}
