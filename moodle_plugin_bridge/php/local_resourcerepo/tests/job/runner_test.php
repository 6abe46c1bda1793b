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

use local_resourcerepo\fake_catalogue;
use local_resourcerepo\task\run_job;
use local_resourcerepo\task\sweep;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../fixtures/fake_catalogue.php');

/**
 * Jobs from Moodle's tasks: done, tried again, given up and swept away.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_resourcerepo\job\runner
 * @covers     \local_resourcerepo\job\job
 * @covers     \local_resourcerepo\task\run_job
 * @covers     \local_resourcerepo\task\sweep
 */
final class runner_test extends \advanced_testcase {
    /** @var \stdClass */
    private $course;

    /** @var \stdClass */
    private $teacher;

    /** @var \phpunit_message_sink */
    private $messages;

    /**
     * A teacher.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->course = $this->getDataGenerator()->create_course();
        $this->teacher = $this->getDataGenerator()->create_and_enrol($this->course, 'editingteacher');
        $this->setUser($this->teacher);
        $this->messages = $this->redirectMessages();
    }

    /**
     * Something to add, from a repository that is down.
     *
     * @return job
     */
    private function begin(): job {
        fake_catalogue::take_down();
        return job::begin(job::ADD, (int) $this->course->id, 'Cells', [
            'resource' => fake_catalogue::ID, 'version' => 1, 'filename' => 'x.mbz', 'kind' => 'course', 'how' => 'whole',
            'parts' => [], 'section' => 0, 'category' => 0,
        ]);
    }

    /**
     * Run the next task that is due.
     *
     * @param int $now
     * @return bool whether there was one
     */
    private function run_task(int $now): bool {
        $task = \core\task\manager::get_next_adhoc_task($now, true, run_job::class);
        if (!$task) {
            return false;
        }
        ob_start();
        $task->execute();
        ob_end_clean();
        \core\task\manager::adhoc_task_complete($task);
        return true;
    }

    /**
     * A file that is kept for a job.
     *
     * @param job $job
     * @return void
     */
    private function keep_file(job $job): void {
        get_file_storage()->create_file_from_string([
            'contextid' => \context_user::instance($this->teacher->id)->id, 'component' => 'local_resourcerepo',
            'filearea' => 'job', 'itemid' => $job->get('id'), 'filepath' => '/', 'filename' => '0.mbz',
        ], 'packed');
    }

    /**
     * How many files are kept.
     *
     * @return int
     */
    private function kept(): int {
        $context = \context_user::instance($this->teacher->id);
        return count(get_file_storage()->get_area_files($context->id, 'local_resourcerepo', 'job', false, 'id', false));
    }

    /**
     * Let time pass for a job.
     *
     * @param job $job
     * @param int $seconds
     * @return void
     */
    private function age(job $job, int $seconds): void {
        global $DB;
        $DB->set_field(job::TABLE, 'timemodified', time() - $seconds, ['id' => $job->get('id')]);
    }

    /**
     * A task for the user runs; when the repository is down another one comes later, and in the end the user is told.
     */
    public function test_tasks(): void {
        $job = $this->begin();
        $now = time();
        $this->assertTrue($this->run_task($now));
        $this->assertFalse($this->run_task($now));
        $job->read();
        $this->assertSame([job::WAITING, 'unreachable'], [$job->get('state'), $job->get('reason')]);
        $this->assertCount(0, $this->messages->get_messages());
        for ($more = 1; $more <= count(runner::PAUSES); $more++) {
            $now += 2 * HOURSECS;
            $this->assertTrue($this->run_task($now));
        }
        $job->read();
        $this->assertSame([job::FAILED, 'unreachable'], [$job->get('state'), $job->get('reason')]);
        $this->assertStringContainsString('Try again in a few minutes', $job->get('message'));
        $this->assertFalse($this->run_task($now + DAYSECS));
        [$message] = $this->messages->get_messages();
        $this->assertSame((int) $this->teacher->id, (int) $message->useridto);
        $this->assertStringContainsString('Cells', $message->subject);
    }

    /**
     * What is done is not done again by a task that came twice, and what was removed is nobody's business.
     */
    public function test_done_is_done(): void {
        $job = $this->begin();
        $job->finish('It is there.');
        $this->run_task(time());
        $job->read();
        $this->assertSame([job::DONE, 0], [$job->get('state'), $job->get('attempts')]);
        $gone = $this->begin();
        $gone->delete();
        $this->assertTrue($this->run_task(time()));
    }

    /**
     * Whoever dies at it again and again is not started for ever.
     */
    public function test_dies_again_and_again(): void {
        $job = $this->begin();
        for ($attempt = 0; $attempt <= count(runner::PAUSES); $attempt++) {
            $job->start();
        }
        $this->run_task(time());
        $job->read();
        $this->assertSame([job::FAILED, 'interrupted'], [$job->get('state'), $job->get('reason')]);
    }

    /**
     * Who changes their mind has it forgotten, with its files, but not while somebody is at it.
     */
    public function test_discard(): void {
        $job = $this->begin();
        $this->keep_file($job);
        $job->start();
        $this->assertFalse(runner::discard($job));
        $this->assertSame(1, $this->kept());
        $job->fail(new \local_resourcerepo\api\failure('unexpected'));
        $id = $job->get('id');
        $this->assertTrue(runner::discard($job));
        $this->assertFalse(job::record_exists($id));
        $this->assertSame(0, $this->kept());
    }

    /**
     * A job is its user's.
     */
    public function test_of_user(): void {
        $job = $this->begin();
        $this->assertSame($job->get('id'), job::of_user((int) $job->get('id'))->get('id'));
        $this->setUser($this->getDataGenerator()->create_user());
        $this->expectException(\local_resourcerepo\api\failure::class);
        job::of_user((int) $job->get('id'));
    }

    /**
     * Progress is told at each step, and not more often than anybody reads it.
     */
    public function test_report(): void {
        global $DB;
        $job = $this->begin();
        $job->start();
        $job->report('pack', 1);
        $writes = $DB->perf_get_writes();
        for ($percent = 2; $percent < 100; $percent++) {
            $job->report('pack', $percent);
        }
        $this->assertLessThan(10, $DB->perf_get_writes() - $writes);
        $job->report('send', 150);
        $job->read();
        $this->assertSame(['send', 100], [$job->get('step'), $job->get('progress')]);
    }

    /**
     * Old jobs go with their files; those that wait for an answer or for somebody who died are ended in a sentence.
     */
    public function test_sweep(): void {
        $states = ['done' => sweep::KEEP, 'asking' => sweep::KEEP_ASKING, 'running' => sweep::LOST];
        foreach ($states as $state => $seconds) {
            foreach (['old' => $seconds + 60, 'young' => $seconds - 60] as $age => $ago) {
                $job = $this->begin();
                $this->keep_file($job);
                $job->set('state', $state);
                $job->update();
                $this->age($job, $ago);
                $jobs[$state][$age] = $job;
            }
        }
        (new sweep())->execute();
        $this->assertFalse(job::record_exists($jobs['done']['old']->get('id')));
        $this->assertTrue(job::record_exists($jobs['done']['young']->get('id')));
        foreach (['asking' => 'notanswered', 'running' => 'interrupted'] as $state => $reason) {
            $old = $jobs[$state]['old']->read();
            $this->assertSame([job::FAILED, $reason], [$old->get('state'), $old->get('reason')]);
            $this->assertSame($state, $jobs[$state]['young']->read()->get('state'));
        }
        $this->assertSame(3, $this->kept());
        $this->assertCount(2, $this->messages->get_messages());
    }
}
