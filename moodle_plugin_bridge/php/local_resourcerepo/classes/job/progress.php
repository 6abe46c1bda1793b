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

/**
 * What Moodle's backups, restores and packers say of how far they are, passed on to a job.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class progress extends \core\progress\base {
    /** @var job */
    private $job;

    /** @var string */
    private $step;

    /** @var callable|null */
    private $watch;

    /** @var float When watch was last called. */
    private $watched = 0.0;

    /**
     * Constructor.
     *
     * @param job $job
     * @param string $step of the job that this is
     * @param callable|null $watch called about once a second
     */
    public function __construct(job $job, string $step, ?callable $watch = null) {
        $this->job = $job;
        $this->step = $step;
        $this->watch = $watch;
    }

    /**
     * Moodle has got a little further.
     *
     * @return void
     */
    public function update_progress() {
        [$least] = $this->get_progress_proportion_range();
        $this->job->report($this->step, (int) floor(100 * $least));
        if ($this->watch !== null && microtime(true) - $this->watched >= 1) {
            $this->watched = microtime(true);
            ($this->watch)();
        }
    }
}
