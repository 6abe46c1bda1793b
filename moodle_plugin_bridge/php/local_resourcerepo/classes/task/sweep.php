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

namespace local_resourcerepo\task;

use local_resourcerepo\api\failure;
use local_resourcerepo\job\job;
use local_resourcerepo\job\runner;
use local_resourcerepo\job\work;

/**
 * Throws away what nobody needs any more: old jobs with their files, and those that nobody works at.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class sweep extends \core\task\scheduled_task {
    /** @var int Seconds that a job is shown after its end. */
    const KEEP = 14 * DAYSECS;

    /** @var int Seconds that the user has to say whether to go on: so long the downloaded files are kept. */
    const KEEP_ASKING = 3 * DAYSECS;

    /** @var int Seconds without any news after which a job is given up: Moodle's cron has stopped, or lost it. */
    const LOST = 2 * DAYSECS;

    /**
     * What it is called in Moodle's list of tasks.
     *
     * @return string
     */
    public function get_name(): string {
        return get_string('task_sweep', 'local_resourcerepo');
    }

    /**
     * Do it.
     *
     * @return void
     */
    public function execute() {
        foreach ($this->older([job::DONE, job::FAILED], self::KEEP) as $job) {
            work::of($job)->tidy();
            $job->delete();
        }
        foreach ($this->older([job::ASKING], self::KEEP_ASKING) as $job) {
            runner::give_up($job, new failure('notanswered'));
        }
        foreach ($this->older([job::QUEUED, job::RUNNING, job::WAITING], self::LOST) as $job) {
            runner::give_up($job, new failure('interrupted'));
        }
    }

    /**
     * Jobs of which nothing has been heard for so long.
     *
     * @param string[] $states
     * @param int $seconds
     * @return job[]
     */
    private function older(array $states, int $seconds): array {
        global $DB;
        [$in, $params] = $DB->get_in_or_equal($states, SQL_PARAMS_NAMED);
        $params['before'] = time() - $seconds;
        return job::get_records_select("state $in AND timemodified < :before", $params);
    }
}
