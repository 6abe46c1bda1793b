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

namespace local_resourcerepo\job;

use local_resourcerepo\api\failure;

/**
 * Does jobs: begins, tries again what may work in a moment, and leaves nothing half-done.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class runner {
    /** @var int[] Seconds to wait before each further attempt, where the repository asks for no more. */
    const PAUSES = [2 * MINSECS, 10 * MINSECS, 30 * MINSECS];

    /** @var int Seconds that the repository may ask to wait. */
    const LONGEST_PAUSE = 6 * HOURSECS;

    /**
     * Do a job, unless somebody else is at it.
     *
     * @param int $id
     * @return void
     */
    public static function run(int $id): void {
        $lock = \core\lock\lock_config::get_lock_factory('local_resourcerepo_job')->get_lock((string) $id, 0);
        if (!$lock) {
            return;
        }
        try {
            $job = job::get_record(['id' => $id]); // As it is now that nobody else is at it.
            if ($job && $job->is_open()) {
                self::attempt($job, work::of($job));
            }
        } finally {
            $lock->release();
        }
    }

    /**
     * Forget a job, as its user wishes, with the files that are kept for it; unless somebody is at it.
     *
     * @param job $job
     * @return bool whether it is forgotten
     */
    public static function discard(job $job): bool {
        $lock = \core\lock\lock_config::get_lock_factory('local_resourcerepo_job')->get_lock((string) $job->get('id'), 0);
        if (!$lock) {
            return false;
        }
        try {
            $job->read(); // As it is now that nobody is at it.
            if (!$job->can_be_discarded()) {
                return false;
            }
            work::of($job)->tidy();
            $job->delete();
            return true;
        } finally {
            $lock->release();
        }
    }

    /**
     * End a job that nobody works at, unless somebody does after all.
     *
     * @param job $job
     * @param failure $failure why
     * @return void
     */
    public static function give_up(job $job, failure $failure): void {
        $lock = \core\lock\lock_config::get_lock_factory('local_resourcerepo_job')->get_lock((string) $job->get('id'), 0);
        if (!$lock) {
            return;
        }
        try {
            $work = work::of($job);
            $work->undo();
            $work->tidy();
            $job->fail($failure);
            notice::send($job);
        } finally {
            $lock->release();
        }
    }

    /**
     * One attempt, whatever comes of it.
     *
     * @param job $job
     * @param work $work of the job
     * @return void
     */
    public static function attempt(job $job, work $work): void {
        try {
            if ($job->get('state') === job::RUNNING) {
                $work->undo(); // Who was at it died: the server was switched off, or memory ran out.
            }
            if ($job->get('attempts') > count(self::PAUSES)) {
                throw new failure('interrupted');
            }
            $job->start();
            $work->run();
        } catch (\Throwable $thrown) {
            self::failed($job, $work, $thrown);
        }
        if (!$job->is_open()) {
            if ($job->get('state') !== job::ASKING) {
                $work->tidy();
            }
            notice::send($job);
        }
    }

    /**
     * It did not work: take away what is there of it, and try again where that may help.
     *
     * @param job $job
     * @param work $work
     * @param \Throwable $thrown
     * @return void
     */
    private static function failed(job $job, work $work, \Throwable $thrown): void {
        $failure = $thrown instanceof failure ? $thrown : new failure('unexpected', null, $thrown->getMessage());
        self::log($job, $thrown);
        try {
            $work->undo();
        } catch (\Throwable $another) {
            self::log($job, $another);
            $failure = new failure('leftover');
        }
        $pause = self::PAUSES[$job->get('attempts') - 1] ?? null;
        if ($failure->transient && $pause !== null) {
            $job->wait($failure, min(self::LONGEST_PAUSE, max($pause, $failure->retryafter)));
        } else {
            $job->fail($failure);
        }
    }

    /**
     * Say in the task's log what happened.
     *
     * @param job $job
     * @param \Throwable $thrown
     * @return void
     */
    private static function log(job $job, \Throwable $thrown): void {
        $info = get_exception_info($thrown);
        mtrace("Job {$job->get('id')} ({$job->get('kind')}), attempt {$job->get('attempts')}, step {$job->get('step')}: " .
            get_class($thrown) . ": {$info->message} {$info->debuginfo}");
        mtrace(format_backtrace($info->backtrace, true));
    }
}
