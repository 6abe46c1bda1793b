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

use backup;
use backup_controller;
use base_setting;
use local_resourcerepo\api\failure;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once($CFG->dirroot . '/backup/util/includes/backup_includes.php');

/**
 * Has Moodle make a backup of what is shared, with nobody's data in it.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class packer {
    /**
     * @var array Root settings of Moodle's backups that are switched off, whatever the site or the user prefers.
     *
     * The first ones are people's data. Groups have keys, badges have addresses to write to, the configuration of blocks
     * is a text of its own in which keys may stand, and events of the calendar belong to one year.
     */
    const SWITCHED_OFF = [
        'users', 'anonymize', 'role_assignments', 'comments', 'userscompletion', 'logs', 'grade_histories', 'xapistate',
        'groups', 'badges', 'blocks', 'calendarevents',
    ];

    /** @var string[] Moodle's type of a backup by kind of subject. */
    const TYPES = [
        subject::COURSE => backup::TYPE_1COURSE,
        subject::SECTION => backup::TYPE_1SECTION,
        subject::ACTIVITY => backup::TYPE_1ACTIVITY,
    ];

    /**
     * Make a backup.
     *
     * @param subject $subject
     * @param int $userid for whom: it is their capabilities that count
     * @param \stdClass $filerecord where the backup is kept
     * @param \core\progress\base $progress
     * @return \stored_file
     * @throws failure
     */
    public static function pack(
        subject $subject,
        int $userid,
        \stdClass $filerecord,
        \core\progress\base $progress
    ): \stored_file {
        try {
            $controller = new backup_controller(
                self::TYPES[$subject->kind],
                $subject->id,
                backup::FORMAT_MOODLE,
                backup::INTERACTIVE_NO,
                backup::MODE_GENERAL,
                $userid
            );
        } catch (\moodle_exception $exception) {
            $reason = $exception->errorcode === 'backup_user_missing_capability' ? 'sharenotallowed' : 'nobackup';
            throw new failure($reason, null, "{$exception->getMessage()} {$exception->debuginfo}");
        }
        $backup = null;
        try {
            self::leave_out($controller);
            // A name of its own: Moodle replaces backups of the user's that have the same.
            $controller->get_plan()->get_setting('filename')->set_value("resourcerepo-{$controller->get_backupid()}.mbz");
            $controller->set_progress($progress);
            $controller->execute_plan();
            $backup = $controller->get_results()['backup_destination'] ?? null;
            if (!$backup instanceof \stored_file) {
                throw new failure('nobackup', null, 'no backup_destination');
            }
            $fs = get_file_storage();
            $fs->delete_area_files($filerecord->contextid, $filerecord->component, $filerecord->filearea, $filerecord->itemid);
            return $fs->create_file_from_storedfile($filerecord, $backup);
        } catch (failure $failure) {
            throw $failure;
        } catch (\moodle_exception $exception) {
            throw new failure('nobackup', null, "{$exception->getMessage()} {$exception->debuginfo}");
        } finally {
            if ($backup instanceof \stored_file) {
                $backup->delete();
            }
            $controller->destroy();
            self::sweep($controller->get_backupid());
        }
    }

    /**
     * What a shared file is called.
     *
     * @param subject $subject
     * @return string
     */
    public static function filename(subject $subject): string {
        $name = $subject->kind === subject::COURSE ? $subject->course->shortname : $subject->name();
        $name = clean_filename(str_replace(' ', '_', \core_text::substr($name, 0, 60)));
        return ($name === '' ? $subject->kind : $name) . '.mbz';
    }

    /**
     * Switch off what is nobody else's business, also where the site has locked it on.
     *
     * @param backup_controller $controller
     * @return void
     */
    private static function leave_out(backup_controller $controller): void {
        $plan = $controller->get_plan();
        foreach (self::SWITCHED_OFF as $name) {
            if (!$plan->setting_exists($name)) {
                continue; // Of a newer or an older Moodle, or of no use for this type.
            }
            $setting = $plan->get_setting($name);
            if ($setting->get_value()) {
                $setting->set_status(base_setting::NOT_LOCKED);
                $setting->set_value(false);
            }
            if ($setting->get_value()) {
                throw new failure('nobackup', null, "The setting {$name} stays on.");
            }
        }
    }

    /**
     * Remove what a backup that failed leaves in the folder for temporary files.
     *
     * @param string $backupid
     * @return void
     */
    private static function sweep(string $backupid): void {
        foreach ([$backupid, "{$backupid}.log"] as $name) {
            $path = make_backup_temp_directory('') . "/{$name}";
            if (file_exists($path)) {
                fulldelete($path);
            }
        }
    }
}
