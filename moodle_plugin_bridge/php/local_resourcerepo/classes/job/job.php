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
use local_resourcerepo\task\run_job;

/**
 * Something that a user asked for and that takes its time: sharing something, or adding something to a course.
 *
 * What was asked for, how far it is and how it ended stand in the database: whoever does the work may die, and be another
 * process on another machine the next time.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class job extends \core\persistent {
    /** @var string */
    const TABLE = 'local_resourcerepo_job';

    /** @var string Something of a course goes to the repository. */
    const SHARE = 'share';

    /** @var string Something of the repository goes to a course. */
    const ADD = 'add';

    /** @var string Waits for Moodle's cron. */
    const QUEUED = 'queued';

    /** @var string Somebody is at it, or was when they died. */
    const RUNNING = 'running';

    /** @var string It failed for now and is tried again by itself. */
    const WAITING = 'waiting';

    /** @var string The user has to say whether to go on. */
    const ASKING = 'asking';

    /** @var string */
    const DONE = 'done';

    /** @var string */
    const FAILED = 'failed';

    /** @var int Seconds between two reports of progress. */
    const REPORT_EVERY = 1;

    /** @var float When progress was last reported. */
    private $reported = 0.0;

    /**
     * What a job consists of.
     *
     * @return array[]
     */
    protected static function define_properties() {
        $kinds = [self::SHARE, self::ADD];
        $states = [self::QUEUED, self::RUNNING, self::WAITING, self::ASKING, self::DONE, self::FAILED];
        $optional = ['type' => PARAM_RAW, 'null' => NULL_ALLOWED, 'default' => null];
        return [
            'kind' => ['type' => PARAM_ALPHA, 'choices' => $kinds],
            'userid' => ['type' => PARAM_INT],
            'courseid' => ['type' => PARAM_INT],
            'title' => ['type' => PARAM_RAW],
            'request' => ['type' => PARAM_RAW],
            'state' => ['type' => PARAM_ALPHA, 'choices' => $states, 'default' => self::QUEUED],
            'step' => ['type' => PARAM_ALPHA] + $optional,
            'progress' => ['type' => PARAM_INT, 'default' => 0],
            'attempts' => ['type' => PARAM_INT, 'default' => 0],
            'nextattempt' => ['type' => PARAM_INT, 'default' => 0],
            'reason' => ['type' => PARAM_ALPHANUMEXT] + $optional,
            'message' => $optional,
            'result' => $optional,
            'made' => $optional,
        ];
    }

    /**
     * Note what the current user asks for, and have it done soon.
     *
     * @param string $kind SHARE or ADD
     * @param int $courseid the course it comes from or goes to
     * @param string $title of what is shared or added, plain text
     * @param array $request what was asked for, as the work of that kind understands it
     * @return self
     */
    public static function begin(string $kind, int $courseid, string $title, array $request): self {
        global $USER;
        $job = new self(0, (object) [
            'kind' => $kind,
            'userid' => (int) $USER->id,
            'courseid' => $courseid,
            'title' => shorten_text($title, 250),
            'request' => json_encode($request),
        ]);
        $job->create();
        $job->queue();
        return $job;
    }

    /**
     * A job of the current user's.
     *
     * @param int $id
     * @return self
     * @throws \moodle_exception when there is none: it is somebody else's, or was swept away
     */
    public static function of_user(int $id): self {
        global $USER;
        $job = self::get_record(['id' => $id, 'userid' => (int) $USER->id]);
        if (!$job) {
            throw new failure('jobgone');
        }
        return $job;
    }

    /**
     * What was asked for.
     *
     * @return \stdClass
     */
    public function request(): \stdClass {
        return json_decode($this->get('request')) ?: new \stdClass();
    }

    /**
     * What has been reached.
     *
     * @return \stdClass
     */
    public function result(): \stdClass {
        return json_decode((string) $this->get('result')) ?: new \stdClass();
    }

    /**
     * Whether something is going to happen to it by itself.
     *
     * @return bool
     */
    public function is_open(): bool {
        return in_array($this->get('state'), [self::QUEUED, self::RUNNING, self::WAITING], true);
    }

    /**
     * Whether nobody is at it, so that the user may have it forgotten.
     *
     * @return bool
     */
    public function can_be_discarded(): bool {
        return $this->get('state') !== self::RUNNING;
    }

    /**
     * Somebody begins to work at it.
     *
     * @return void
     */
    public function start(): void {
        $this->set_many(['state' => self::RUNNING, 'attempts' => $this->get('attempts') + 1, 'step' => null, 'progress' => 0]);
        $this->set_many(['reason' => null, 'message' => null, 'nextattempt' => 0]);
        $this->update();
    }

    /**
     * Tell how far it is. May be called as often as one likes.
     *
     * @param string $step what is being done: a string "step_$step" exists
     * @param int $percent of this step
     * @return void
     */
    public function report(string $step, int $percent): void {
        $percent = max(0, min(100, $percent));
        $news = $step !== $this->get('step');
        if (!$news && ($percent === $this->get('progress') || microtime(true) - $this->reported < self::REPORT_EVERY)) {
            return;
        }
        $this->reported = microtime(true);
        $this->set_many(['step' => $step, 'progress' => $percent]);
        $this->update();
    }

    /**
     * Note something that was reached, so that another attempt need not do it again.
     *
     * @param array $result by name
     * @return void
     */
    public function reached(array $result): void {
        $this->set('result', json_encode($result + (array) $this->result()));
        $this->update();
    }

    /**
     * It is done.
     *
     * @param string $message what to tell the user, plain text
     * @return void
     */
    public function finish(string $message): void {
        $this->set_many(['state' => self::DONE, 'progress' => 100, 'reason' => null, 'message' => $message]);
        $this->update();
    }

    /**
     * It did not work.
     *
     * @param failure $failure
     * @return void
     */
    public function fail(failure $failure): void {
        $this->set_many([
            'state' => self::FAILED,
            'reason' => $failure->reason,
            'message' => self::told($failure),
        ]);
        $this->update();
    }

    /**
     * It did not work for now.
     *
     * @param failure $failure
     * @param int $seconds after which it is tried again
     * @return void
     */
    public function wait(failure $failure, int $seconds): void {
        $this->set_many(['reason' => $failure->reason, 'message' => self::told($failure)]);
        $this->queue($seconds);
    }

    /**
     * Ask the user whether to go on.
     *
     * @param string[] $warnings plain text
     * @return void
     */
    public function ask(array $warnings): void {
        $this->set_many(['state' => self::ASKING, 'reason' => null, 'message' => implode("\n", $warnings)]);
        $this->update();
    }

    /**
     * The user says to go on, or to try again.
     *
     * @return void
     */
    public function go_on(): void {
        if (!in_array($this->get('state'), [self::ASKING, self::FAILED], true)) {
            return;
        }
        if ($this->get('state') === self::ASKING) {
            $this->set('result', json_encode(['confirmed' => true] + (array) $this->result()));
        }
        $this->set_many(['attempts' => 0, 'reason' => null, 'message' => null, 'step' => null, 'progress' => 0]);
        $this->queue();
    }

    /**
     * Have it done.
     *
     * @param int $seconds from now
     * @return void
     */
    private function queue(int $seconds = 0): void {
        $next = $seconds > 0 ? time() + $seconds : 0;
        $this->set_many(['state' => $seconds > 0 ? self::WAITING : self::QUEUED, 'nextattempt' => $next]);
        $this->update();
        run_job::queue((int) $this->get('id'), (int) $this->get('userid'), $next);
    }

    /**
     * A failure in its sentence, without what Moodle appends for developers.
     *
     * @param failure $failure
     * @return string
     */
    private static function told(failure $failure): string {
        return trim(get_string($failure->errorcode, 'local_resourcerepo', $failure->a));
    }
}
