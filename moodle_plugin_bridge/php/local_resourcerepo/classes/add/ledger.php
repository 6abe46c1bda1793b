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

namespace local_resourcerepo\add;

use local_resourcerepo\job\job;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once($CFG->dirroot . '/calendar/lib.php');
require_once($CFG->dirroot . '/course/lib.php');
require_once($CFG->dirroot . '/group/lib.php');
require_once($CFG->libdir . '/questionlib.php');
require_once($CFG->libdir . '/gradelib.php');

/**
 * What a restore has made, so that all of it can be taken away again when it fails, even if whoever was at it died.
 *
 * A restore notes for each thing what became of it (backup_ids_temp). New is what has a greater id than everything that was
 * there before; what was there already and was only found again has not.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class ledger {
    /** @var string[] The tables of what is noted, by what Moodle calls it there. */
    const TABLES = [
        'course_module' => 'course_modules',
        'course_section' => 'course_sections',
        'question' => 'question',
        'question_category' => 'question_categories',
        'group' => 'groups',
        'grouping' => 'groupings',
        'grade_item' => 'grade_items',
        'grade_category' => 'grade_categories',
        'outcome' => 'grade_outcomes',
        'scale' => 'scale',
        'event' => 'event',
        'contentbank_content' => 'contentbank_content',
        'block_instance' => 'block_instances',
        'badge' => 'badge',
        'enrol' => 'enrol',
    ];

    /** @var job */
    private $job;

    /** @var \stdClass before (ids by table), made (ids by what), sections (texts by id), course (id of a new one) */
    private $book;

    /**
     * Constructor.
     *
     * @param job $job
     */
    public function __construct(job $job) {
        $this->job = $job;
        $this->book = json_decode((string) $job->get('made')) ?: new \stdClass();
    }

    /**
     * Before anything is made.
     *
     * @return void
     */
    public function open(): void {
        global $DB;
        $this->book = (object) ['before' => new \stdClass(), 'made' => new \stdClass(), 'sections' => new \stdClass()];
        foreach (self::TABLES as $what => $table) {
            $this->book->before->$what = (int) $DB->get_field_sql("SELECT MAX(id) FROM {{$table}}");
        }
        $fields = 'id, name, summary, summaryformat';
        foreach ($DB->get_records('course_sections', ['course' => $this->job->get('courseid')], '', $fields) as $section) {
            $this->book->sections->{$section->id} = [$section->name, $section->summary, $section->summaryformat];
        }
        $this->write();
    }

    /**
     * A new course was made: all of it goes if this fails.
     *
     * @param int $courseid
     * @return void
     */
    public function note_course(int $courseid): void {
        $this->book->course = $courseid;
        $this->write();
    }

    /**
     * An activity was made.
     *
     * @param int $cmid
     * @return void
     */
    public function note_activity(int $cmid): void {
        if (!isset($this->book->course) && $this->add('course_module', [$cmid])) {
            $this->write();
        }
    }

    /**
     * A section was made, or found.
     *
     * @param int $sectionid
     * @return void
     */
    public function note_section(int $sectionid): void {
        $isnew = $sectionid > $this->book->before->course_section;
        if ($isnew && !isset($this->book->course) && $this->add('course_section', [$sectionid])) {
            $this->write();
        }
    }

    /**
     * Note what a restore has made up to now.
     *
     * @param string $restoreid
     * @return void
     */
    public function note_restore(string $restoreid): void {
        global $DB;
        if (isset($this->book->course) || !$DB->get_manager()->table_exists('backup_ids_temp')) {
            return;
        }
        [$in, $params] = $DB->get_in_or_equal(array_keys(self::TABLES));
        $select = "backupid = ? AND newitemid > 0 AND itemname $in";
        array_unshift($params, $restoreid);
        $notes = $DB->get_recordset_select('backup_ids_temp', $select, $params, '', 'itemname, newitemid');
        $new = [];
        foreach ($notes as $note) {
            if ($note->newitemid > $this->book->before->{$note->itemname}) {
                $new[$note->itemname][] = (int) $note->newitemid;
            }
        }
        $notes->close();
        $changed = false;
        foreach ($new as $what => $ids) {
            $changed = $this->add($what, $ids) || $changed;
        }
        if ($changed) {
            $this->write();
        }
    }

    /**
     * The activities that were made.
     *
     * @return int[] course module ids
     */
    public function activities(): array {
        return $this->made('course_module');
    }

    /**
     * The sections that were made.
     *
     * @return int[]
     */
    public function sections(): array {
        return $this->made('course_section');
    }

    /**
     * All is well: nothing has to be taken away any more.
     *
     * @return void
     */
    public function close(): void {
        $this->book = new \stdClass();
        $this->job->set('made', null);
        $this->job->update();
    }

    /**
     * Take away all that was made.
     *
     * @return void
     */
    public function undo(): void {
        global $DB;
        if (!isset($this->book->made)) {
            return;
        }
        self::without_recycle_bin(function() use ($DB): void {
            if (isset($this->book->course)) {
                if ($DB->record_exists('course', ['id' => $this->book->course])) {
                    delete_course($this->book->course, false);
                }
                fix_course_sortorder();
            } else if ($DB->record_exists('course', ['id' => $this->job->get('courseid')])) {
                $this->undo_in_course((int) $this->job->get('courseid'));
            }
        });
        $this->close();
    }

    /**
     * Take away what was made in a course that was there before.
     *
     * @param int $courseid
     * @return void
     */
    private function undo_in_course(int $courseid): void {
        $course = get_course($courseid);
        foreach ($this->activities() as $cmid) {
            $this->delete_activity($cmid);
        }
        foreach (array_reverse($this->sections()) as $id) {
            $this->delete_section($course, $id);
        }
        $this->restore_section_texts();
        foreach ($this->made('question') as $id) {
            question_delete_question($id);
        }
        foreach (array_reverse($this->made('question_category')) as $id) {
            $this->delete_question_category($id);
        }
        foreach (['grouping', 'group', 'grade_item', 'grade_category', 'outcome', 'scale', 'event', 'contentbank_content',
                'block_instance', 'badge', 'enrol'] as $what) {
            foreach (array_reverse($this->made($what)) as $id) {
                $this->delete_other($what, $id);
            }
        }
        rebuild_course_cache($courseid, true);
    }

    /**
     * Delete an activity, also one that is only begun.
     *
     * @param int $cmid
     * @return void
     */
    private function delete_activity(int $cmid): void {
        global $DB;
        $cm = $DB->get_record('course_modules', ['id' => $cmid]);
        if (!$cm) {
            return;
        }
        $module = $DB->get_field('modules', 'name', ['id' => $cm->module]);
        if ($cm->instance && $DB->record_exists($module, ['id' => $cm->instance])) {
            course_delete_module($cmid);
            return;
        }
        $context = \context_module::instance($cmid);
        question_delete_activity($cm);
        get_file_storage()->delete_area_files($context->id);
        \context_helper::delete_instance(CONTEXT_MODULE, $cmid);
        $DB->delete_records('course_modules', ['id' => $cmid]);
        delete_mod_from_section($cmid, $cm->section);
    }

    /**
     * Delete a section, unless somebody has put something of theirs into it meanwhile.
     *
     * @param \stdClass $course
     * @param int $id
     * @return void
     */
    private function delete_section(\stdClass $course, int $id): void {
        global $DB;
        rebuild_course_cache($course->id, true);
        $section = $DB->get_record('course_sections', ['id' => $id]);
        if (!$section || trim((string) $section->sequence, ', ') !== '') {
            return;
        }
        if (!$section->section || !course_delete_section($course, (int) $section->section, true)) {
            $DB->delete_records('course_sections', ['id' => $id]); // A course format that knows of no sections.
        }
    }

    /**
     * Give sections that were there before their names and summaries back: Moodle fills in empty ones.
     *
     * @return void
     */
    private function restore_section_texts(): void {
        global $DB;
        foreach ((array) $this->book->sections as $id => [$name, $summary, $format]) {
            $now = $DB->get_record('course_sections', ['id' => $id], 'id, name, summary, summaryformat');
            $wasempty = (string) $name === '' || (string) $summary === '';
            if ($now && $wasempty && ($now->name !== $name || $now->summary !== $summary)) {
                $texts = ['id' => $id, 'name' => $name, 'summary' => $summary, 'summaryformat' => $format];
                $DB->update_record('course_sections', (object) $texts);
            }
        }
    }

    /**
     * Delete a category of questions, unless there is something in it that was not made by the restore.
     *
     * @param int $id
     * @return void
     */
    private function delete_question_category(int $id): void {
        global $DB;
        $used = $DB->record_exists('question_bank_entries', ['questioncategoryid' => $id]) ||
            $DB->record_exists('question_categories', ['parent' => $id]);
        if (!$used) {
            $DB->delete_records('question_categories', ['id' => $id]);
        }
    }

    /**
     * Delete something else.
     *
     * @param string $what one of the keys of TABLES
     * @param int $id
     * @return void
     */
    private function delete_other(string $what, int $id): void {
        global $DB;
        $record = $DB->get_record(self::TABLES[$what], ['id' => $id]);
        if (!$record) {
            return; // It went with its activity.
        }
        switch ($what) {
            case 'group':
                groups_delete_group($id);
                break;
            case 'grouping':
                groups_delete_grouping($id);
                break;
            case 'grade_item':
                $this->delete_grade(\grade_item::fetch(['id' => $id]));
                break;
            case 'grade_category':
                $this->delete_grade(\grade_category::fetch(['id' => $id]));
                break;
            case 'outcome':
                $this->delete_grade(\grade_outcome::fetch(['id' => $id]));
                break;
            case 'scale':
                $this->delete_grade(\grade_scale::fetch(['id' => $id]));
                break;
            case 'event':
                \calendar_event::load($record)->delete();
                break;
            case 'contentbank_content':
                $content = (new \core_contentbank\contentbank())->get_content_from_id($id);
                $content->get_content_type_instance()->delete_content($content);
                break;
            case 'block_instance':
                blocks_delete_instance($record);
                break;
            case 'badge':
                (new \core_badges\badge($id))->delete(false);
                break;
            case 'enrol':
                if ($plugin = enrol_get_plugin($record->enrol)) {
                    $plugin->delete_instance($record);
                }
        }
    }

    /**
     * Delete something of the gradebook. The course's own category and item are never new.
     *
     * @param \grade_object|bool $object
     * @return void
     */
    private function delete_grade($object): void {
        if ($object) {
            $object->delete('restore');
        }
    }

    /**
     * Do something while Moodle's recycle bin keeps nothing: half of a course that nobody asked for has no place there.
     *
     * @param callable $what
     * @return void
     */
    private static function without_recycle_bin(callable $what): void {
        global $CFG;
        $before = $CFG->forced_plugin_settings ?? [];
        $CFG->forced_plugin_settings['tool_recyclebin'] = ['coursebinenable' => 0, 'categorybinenable' => 0] +
            ($before['tool_recyclebin'] ?? []);
        try {
            $what();
        } finally {
            $CFG->forced_plugin_settings = $before;
        }
    }

    /**
     * What was made of one sort.
     *
     * @param string $what
     * @return int[]
     */
    private function made(string $what): array {
        return (array) ($this->book->made->$what ?? []);
    }

    /**
     * Note that something was made.
     *
     * @param string $what
     * @param int[] $ids
     * @return bool whether anything of it was not known
     */
    private function add(string $what, array $ids): bool {
        $known = $this->made($what);
        $all = array_values(array_unique(array_merge($known, $ids)));
        $this->book->made->$what = $all;
        return count($all) > count($known);
    }

    /**
     * Write it down.
     *
     * @return void
     */
    private function write(): void {
        $this->job->set('made', json_encode($this->book));
        $this->job->update();
    }
}
