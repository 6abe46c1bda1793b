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
    /** @var int How deep within each other the parts of Moodle's plans are: the plan, its tasks, their steps. */
    const PARTS = 4;

    /** @var job|null null in what Moodle has kept in the database */
    private $job = null;

    /** @var string */
    private $step = '';

    /** @var callable|null */
    private $watch = null;

    /**
     * Constructor.
     *
     * @param job $job
     * @param string $step of the job that this is
     * @param callable|null $watch called whenever Moodle turns to another part
     */
    public function __construct(job $job, string $step, ?callable $watch = null) {
        $this->job = $job;
        $this->step = $step;
        $this->watch = $watch;
    }

    /**
     * Moodle turns to another part.
     *
     * @param string $description
     * @param int $max
     * @param int $parentcount
     * @return void
     */
    public function start_progress($description, $max = self::INDETERMINATE, $parentcount = 1) {
        parent::start_progress($description, $max, $parentcount);
        if ($this->watch !== null && count($this->descriptions) <= self::PARTS) {
            ($this->watch)();
        }
    }

    /**
     * Moodle keeps its controllers in the database, with whom they report to: nothing of this belongs there.
     *
     * @return array
     */
    public function __serialize(): array {
        return [];
    }

    /**
     * Nobody is told by what comes out of the database.
     *
     * @param array $data
     * @return void
     */
    public function __unserialize(array $data): void {
    }

    /**
     * Moodle has got a little further.
     *
     * @return void
     */
    public function update_progress() {
        if ($this->job === null) {
            return;
        }
        [$least] = $this->get_progress_proportion_range();
        $this->job->report($this->step, (int) floor(100 * $least));
    }
}
