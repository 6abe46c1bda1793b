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

use backup;
use base_setting;
use local_resourcerepo\api\failure;
use restore_controller;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once($CFG->dirroot . '/backup/util/includes/restore_includes.php');

/**
 * Has Moodle restore one unpacked backup.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class restorer {
    /** @var string[] Root settings of Moodle's restores that are switched off always: resources have no people in them. */
    const NO_PEOPLE = ['users', 'role_assignments', 'comments', 'userscompletion', 'logs', 'grade_histories', 'groups'];

    /** @var string[] Those that are switched off besides when something is added to a course: it stays the course it is. */
    const KEEP_COURSE = ['overwrite_conf', 'blocks', 'badges', 'calendarevents', 'filters', 'customfield'];

    /** @var restore_controller */
    private $controller;

    /** @var bool Whether the course is made of it. */
    private $isnew;

    /**
     * Constructor.
     *
     * @param archive $archive
     * @param int $courseid into which
     * @param bool $isnew whether the course is made of it
     * @param int $userid whose capabilities count
     * @param \core\progress\base|null $progress
     * @throws failure when Moodle does not take it
     */
    public function __construct(archive $archive, int $courseid, bool $isnew, int $userid, ?\core\progress\base $progress = null) {
        $this->isnew = $isnew;
        $this->controller = $this->guarded(function() use ($archive, $courseid, $isnew, $userid, $progress): restore_controller {
            return new restore_controller(
                $archive->name,
                $courseid,
                backup::INTERACTIVE_NO,
                backup::MODE_GENERAL,
                $userid,
                $isnew ? backup::TARGET_NEW_COURSE : backup::TARGET_CURRENT_ADDING,
                $progress
            );
        });
        $this->guarded(function(): void {
            $this->convert();
            $this->set();
        });
    }

    /**
     * Moodle's own check.
     *
     * @return string[][] errors and warnings, plain text
     * @throws failure
     */
    public function precheck(): array {
        return $this->guarded(function(): array {
            $this->controller->execute_precheck();
            $results = $this->controller->get_precheck_results();
            $plain = function(string $said): string {
                return trim(html_to_text($said, 0, false));
            };
            return [
                'errors' => array_map($plain, array_values($results['errors'] ?? [])),
                'warnings' => array_map($plain, array_values($results['warnings'] ?? [])),
            ];
        });
    }

    /**
     * Restore it. Moodle's check has to be done before.
     *
     * @param ledger $ledger notes what was made, also when this fails
     * @return void
     * @throws failure
     */
    public function restore(ledger $ledger): void {
        try {
            $this->guarded(function(): void {
                $this->controller->execute_plan();
            });
        } finally {
            $this->note($ledger);
        }
    }

    /**
     * Note what has been made up to now.
     *
     * @param ledger $ledger
     * @return void
     */
    public function note(ledger $ledger): void {
        $ledger->note_restore($this->controller->get_restoreid());
        // At its end Moodle throws its own notes away, but who did it still knows.
        foreach ($this->controller->get_plan()->get_tasks() as $task) {
            if ($task instanceof \restore_activity_task && $task->get_moduleid()) {
                $ledger->note_activity((int) $task->get_moduleid());
            } else if ($task instanceof \restore_section_task && $task->get_sectionid()) {
                $ledger->note_section((int) $task->get_sectionid());
            }
        }
    }

    /**
     * Let go of it, with what Moodle keeps of it for the time being.
     *
     * @return void
     */
    public function close(): void {
        global $DB;
        if ($DB->get_manager()->table_exists('backup_ids_temp')) {
            \restore_controller_dbops::drop_restore_temp_tables($this->controller->get_restoreid());
        }
        $this->controller->destroy();
        $log = make_backup_temp_directory('') . "/{$this->controller->get_restoreid()}.log";
        if (is_file($log)) {
            unlink($log);
        }
    }

    /**
     * Convert a backup of another format.
     *
     * @return void
     */
    private function convert(): void {
        global $CFG;
        if ($this->controller->get_status() !== backup::STATUS_REQUIRE_CONV) {
            return;
        }
        $before = getcwd();
        chdir("{$CFG->dirroot}/backup"); // Where Moodle's converters look for their sheets.
        try {
            $this->controller->convert();
        } finally {
            chdir($before);
        }
    }

    /**
     * Switch off what is not wanted.
     *
     * @return void
     */
    private function set(): void {
        $plan = $this->controller->get_plan();
        foreach (array_merge(self::NO_PEOPLE, $this->isnew ? [] : self::KEEP_COURSE) as $name) {
            if ($plan->setting_exists($name) && $plan->get_setting($name)->get_value()) {
                $setting = $plan->get_setting($name);
                $setting->set_status(base_setting::NOT_LOCKED);
                $setting->set_value(false);
            }
        }
        if ($plan->setting_exists('enrolments')) {
            $setting = $plan->get_setting('enrolments');
            $setting->set_status(base_setting::NOT_LOCKED);
            $setting->set_value(backup::ENROL_NEVER);
        }
    }

    /**
     * Do something of Moodle's, and tell in a sentence when it fails.
     *
     * @param callable $what
     * @return mixed what it returns
     * @throws failure
     */
    private function guarded(callable $what) {
        try {
            return $what();
        } catch (failure $failure) {
            throw $failure;
        } catch (\Throwable $thrown) {
            $code = $thrown instanceof \moodle_exception ? $thrown->errorcode : '';
            $debuginfo = get_class($thrown) . " {$code}: {$thrown->getMessage()} " . ($thrown->debuginfo ?? '');
            switch ($code) {
                case 'setting_invalid_text':
                    throw new failure('namewithtags', null, $debuginfo);
                case 'restore_user_missing_capability':
                case 'restore_setting_value_wrong_for_capability':
                    throw new failure('addnotallowed', null, $debuginfo);
                default:
                    throw new failure('restorefailed', null, $debuginfo);
            }
        }
    }
}
