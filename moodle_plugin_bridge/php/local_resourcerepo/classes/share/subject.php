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
 * What is to be shared: a course, a section or an activity.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class subject {
    /** @var string */
    const COURSE = 'course';

    /** @var string */
    const SECTION = 'section';

    /** @var string */
    const ACTIVITY = 'activity';

    /** @var string COURSE, SECTION or ACTIVITY. */
    public $kind;

    /** @var int Of the course, the section or the course module. */
    public $id;

    /** @var \stdClass */
    public $course;

    /** @var \section_info|null */
    public $section = null;

    /** @var \cm_info|null */
    public $cm = null;

    /**
     * Constructor.
     *
     * @param string $kind COURSE, SECTION or ACTIVITY
     * @param int $id
     * @param \stdClass $course
     */
    private function __construct(string $kind, int $id, \stdClass $course) {
        $this->kind = $kind;
        $this->id = $id;
        $this->course = $course;
    }

    /**
     * Find it.
     *
     * @param string $kind COURSE, SECTION or ACTIVITY
     * @param int $id of the course, the section or the course module
     * @return self
     * @throws failure when it is not there
     */
    public static function find(string $kind, int $id): self {
        global $DB;
        try {
            switch ($kind) {
                case self::COURSE:
                    return new self($kind, $id, get_course($id));
                case self::SECTION:
                    $courseid = $DB->get_field('course_sections', 'course', ['id' => $id], MUST_EXIST);
                    $subject = new self($kind, $id, get_course($courseid));
                    $subject->section = self::section_of($subject->course, $id);
                    return $subject;
                case self::ACTIVITY:
                    [$course, $cm] = get_course_and_cm_from_cmid($id);
                    $subject = new self($kind, $id, $course);
                    $subject->cm = $cm;
                    return $subject;
            }
        } catch (\moodle_exception $exception) {
            throw new failure('sourcegone', null, $exception->getMessage());
        }
        throw new failure('sourcegone', null, "kind {$kind}");
    }

    /**
     * A section by its id.
     *
     * @param \stdClass $course
     * @param int $id
     * @return \section_info
     */
    private static function section_of(\stdClass $course, int $id): \section_info {
        foreach (get_fast_modinfo($course)->get_section_info_all() as $section) {
            if ((int) $section->id === $id) {
                return $section;
            }
        }
        throw new failure('sourcegone', null, "section {$id}");
    }

    /**
     * Whether the current user may share it.
     *
     * @return bool
     */
    public function is_allowed(): bool {
        if ((int) $this->course->id === (int) SITEID && $this->kind !== self::ACTIVITY) {
            return false; // The front page is no course: Moodle restores it nowhere else.
        }
        if ($this->cm !== null && !self::can_be_packed($this->cm)) {
            return false;
        }
        $context = $this->context();
        return has_capability('local/resourcerepo:share', $context) &&
            has_capability("moodle/backup:backup{$this->kind}", $context) &&
            has_capability('local/resourcerepo:connect', \context_system::instance());
    }

    /**
     * Refuse who may not share it.
     *
     * @return void
     * @throws failure
     */
    public function require_allowed(): void {
        if (!$this->is_allowed()) {
            throw new failure('sharenotallowed');
        }
    }

    /**
     * Whether Moodle can make a backup of an activity.
     *
     * @param \cm_info $cm
     * @return bool
     */
    public static function can_be_packed(\cm_info $cm): bool {
        return !$cm->deletioninprogress && plugin_supports('mod', $cm->modname, FEATURE_BACKUP_MOODLE2, false);
    }

    /**
     * Where the capabilities for it are asked: the activity's context, else the course's.
     *
     * @return \context
     */
    public function context(): \context {
        return $this->cm !== null ? $this->cm->context : \context_course::instance($this->course->id);
    }

    /**
     * What it is called.
     *
     * @return string plain text
     */
    public function name(): string {
        $options = ['context' => $this->context(), 'escape' => false];
        switch ($this->kind) {
            case self::COURSE:
                return format_string($this->course->fullname, true, $options);
            case self::SECTION:
                return html_entity_decode(strip_tags(get_section_name($this->course, $this->section)), ENT_QUOTES, 'UTF-8');
            default:
                return format_string($this->cm->name, true, $options);
        }
    }

    /**
     * Its own description, as HTML without files: those are of no use elsewhere.
     *
     * @return string
     */
    public function summary(): string {
        global $DB;
        switch ($this->kind) {
            case self::COURSE:
                [$text, $format] = [$this->course->summary, $this->course->summaryformat];
                break;
            case self::SECTION:
                [$text, $format] = [$this->section->summary, $this->section->summaryformat];
                break;
            default:
                $instance = $DB->get_record($this->cm->modname, ['id' => $this->cm->instance]);
                [$text, $format] = [$instance->intro ?? '', $instance->introformat ?? FORMAT_HTML];
        }
        $text = preg_replace('~<(?:img|source)\b[^>]*@@PLUGINFILE@@[^>]*>~i', '', (string) $text);
        $text = preg_replace('~<(a|video|audio|object)\b[^>]*@@PLUGINFILE@@[^>]*>(.*?)</\1>~is', '$2', $text);
        return trim(format_text($text, $format, ['context' => $this->context(), 'filter' => false, 'para' => false]));
    }

    /**
     * The tags it has.
     *
     * @return string[]
     */
    public function tags(): array {
        switch ($this->kind) {
            case self::COURSE:
                return array_values(\core_tag_tag::get_item_tags_array('core', 'course', $this->id));
            case self::ACTIVITY:
                return array_values(\core_tag_tag::get_item_tags_array('core', 'course_modules', $this->id));
            default:
                return [];
        }
    }

    /**
     * The activities that are in it.
     *
     * @return \cm_info[]
     */
    public function activities(): array {
        if ($this->kind === self::ACTIVITY) {
            return [$this->cm];
        }
        $modinfo = get_fast_modinfo($this->course);
        $all = array_filter($modinfo->get_cms(), [self::class, 'can_be_packed']);
        if ($this->kind === self::COURSE) {
            return array_values($all);
        }
        return array_values(array_filter($all, function(\cm_info $cm): bool {
            return (int) $cm->section === $this->id;
        }));
    }

    /**
     * Where it is on this site.
     *
     * @return \moodle_url
     */
    public function url(): \moodle_url {
        if ($this->kind === self::ACTIVITY && $this->cm->url) {
            return $this->cm->url;
        }
        return course_get_url($this->course, $this->section);
    }
}
