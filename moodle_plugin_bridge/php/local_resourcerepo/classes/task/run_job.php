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

use local_resourcerepo\job\runner;

/**
 * Does a job in the background, as the user who asked for it.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class run_job extends \core\task\adhoc_task {
    /**
     * Have a job done.
     *
     * @param int $jobid
     * @param int $userid for whom
     * @param int $at when at the earliest; 0 for as soon as possible
     * @return void
     */
    public static function queue(int $jobid, int $userid, int $at = 0): void {
        $task = new self();
        $task->set_component('local_resourcerepo');
        $task->set_custom_data((object) ['jobid' => $jobid]);
        $task->set_userid($userid);
        if ($at > 0) {
            $task->set_next_run_time($at);
        }
        \core\task\manager::queue_adhoc_task($task);
    }

    /**
     * What it is called in Moodle's list of tasks.
     *
     * @return string
     */
    public function get_name(): string {
        return get_string('task_runjob', 'local_resourcerepo');
    }

    /**
     * Do it.
     *
     * @return void
     */
    public function execute() {
        runner::run((int) $this->get_custom_data()->jobid);
    }
}
