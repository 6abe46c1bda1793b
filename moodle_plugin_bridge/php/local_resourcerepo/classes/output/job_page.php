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

use local_resourcerepo\job\job;
use local_resourcerepo\job\work;

/**
 * How far a job is, how it ended, and what the user can do.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class job_page implements \renderable, \templatable {
    /** @var int[][] The steps of each kind in their order, and how much of the whole each is, in per cent. */
    const STEPS = [
        job::SHARE => ['pack' => 40, 'send' => 45, 'describe' => 5, 'inspect' => 10],
        job::ADD => ['download' => 45, 'unpack' => 10, 'check' => 5, 'restore' => 40, 'place' => 0],
    ];

    /** @var int Seconds after which a job that was not begun tells that the site may not do such things. */
    const LONG = 10 * MINSECS;

    /** @var job */
    private $job;

    /**
     * Constructor.
     *
     * @param job $job
     */
    public function __construct(job $job) {
        $this->job = $job;
    }

    /**
     * For the template.
     *
     * @param \renderer_base $output
     * @return array
     */
    public function export_for_template(\renderer_base $output) {
        $job = $this->job;
        $state = $job->get('state');
        $step = $job->get('step');
        $here = new \moodle_url('/local/resourcerepo/job.php', ['id' => $job->get('id')]);
        $account = $state === job::FAILED && in_array($job->get('reason'), ['accountrequired', 'connectionrefused'], true);
        $message = (string) $job->get('message');
        return [
            'title' => $job->get('title'),
            'state' => get_string("state_{$state}", 'local_resourcerepo'),
            'isopen' => $job->is_open(),
            'percent' => $this->percent(),
            'step' => $state === job::RUNNING && $step ? get_string("step_{$step}", 'local_resourcerepo') : '',
            'isdone' => $state === job::DONE,
            'isdraft' => $job->get('kind') === job::SHARE && empty($job->result()->released),
            'isfailed' => $state === job::FAILED,
            'isasking' => $state === job::ASKING,
            'iswaiting' => $state === job::WAITING,
            'isslow' => $state === job::QUEUED && time() - $job->get('timemodified') > self::LONG,
            'nextattempt' => userdate($job->get('nextattempt'), get_string('strftimetime', 'langconfig')),
            'message' => $state === job::ASKING ? '' : $message,
            'warnings' => $state === job::ASKING ? explode("\n", $message) : [],
            'connecturl' => $account ? trouble::connect_url($here)->out(false) : '',
            'action' => $here->out(false),
            'sesskey' => sesskey(),
            'candiscard' => $job->can_be_discarded(),
            'ways' => in_array($state, [job::DONE, job::FAILED], true) ? work::of($job)->ways_on() : [],
        ];
    }

    /**
     * How much of the whole is done.
     *
     * @return int
     */
    private function percent(): int {
        if ($this->job->get('state') === job::DONE) {
            return 100;
        }
        $done = 0;
        foreach (self::STEPS[$this->job->get('kind')] as $step => $share) {
            if ($step === $this->job->get('step')) {
                return (int) ($done + $share * $this->job->get('progress') / 100);
            }
            $done += $share;
        }
        return 0;
    }
}
