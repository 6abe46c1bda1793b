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

use local_resourcerepo\job\job;
use local_resourcerepo\job\runner;
use local_resourcerepo\running_shelf;
use local_resourcerepo\works;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../fixtures/running_shelf.php');
require_once(__DIR__ . '/../fixtures/works.php');

/**
 * Sharing, over real sockets.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_resourcerepo\share\work
 * @covers     \local_resourcerepo\job\runner
 * @covers     \local_resourcerepo\job\job
 * @covers     \local_resourcerepo\job\notice
 */
final class work_test extends \advanced_testcase {
    /** @var running_shelf */
    private $repository;

    /** @var \stdClass */
    private $course;

    /** @var \stdClass */
    private $teacher;

    /** @var \stdClass */
    private $page;

    /** @var \phpunit_message_sink */
    private $messages;

    /**
     * A repository, and a teacher with something to share.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->repository = new running_shelf();
        $this->course = $this->getDataGenerator()->create_course(['shortname' => 'BIO']);
        $this->teacher = $this->getDataGenerator()->create_and_enrol($this->course, 'editingteacher');
        $this->page = $this->getDataGenerator()->create_module('page', ['course' => $this->course->id, 'name' => 'Cells']);
        $this->messages = $this->redirectMessages();
        $this->setUser($this->teacher);
        $id = running_shelf::ID;
        $url = "https://resources.example.org/resources/{$id}";
        $this->repository->answer('POST /api/v1/resources', ['id' => $id, 'url' => $url]);
    }

    /**
     * Stop it.
     */
    protected function tearDown(): void {
        $this->repository->stop();
        parent::tearDown();
    }

    /**
     * Somebody asks for it.
     *
     * @param bool $release
     * @return job
     */
    private function begin(bool $release = false): job {
        return job::begin(job::SHARE, (int) $this->course->id, 'Cells', [
            'kind' => subject::ACTIVITY, 'id' => (int) $this->page->cmid, 'release' => $release,
            'description' => ['title' => 'Cells', 'licence' => 'CC-BY-4.0', 'authors' => [['name' => 'Ada']]],
        ]);
    }

    /**
     * One attempt.
     *
     * @param job $job
     * @return void
     */
    private function attempt(job $job): void {
        ob_start(); // What the task's log says.
        runner::attempt($job, works::share($job, $this->repository->baseurl));
        ob_end_clean();
    }

    /**
     * What the repository says of it afterwards.
     *
     * @param array $version members of the version
     * @param array $findings
     * @return void
     */
    private function there(array $version = [], array $findings = []): void {
        $id = running_shelf::ID;
        $this->repository->answer("GET /api/v1/resources/{$id}", ['id' => $id, 'versions' => [$version + [
            'number' => 1, 'processing' => ['state' => 'done', 'progress' => 1.0], 'released_at' => null,
        ]]]);
        $this->repository->answer("GET /api/v1/resources/{$id}/versions/1/inspection", ['findings' => $findings]);
    }

    /**
     * Files of jobs that are kept.
     *
     * @return int
     */
    private function kept(): int {
        global $DB;
        return $DB->count_records_select('files', "component = 'local_resourcerepo' AND filename <> '.'");
    }

    /**
     * It is packed, sent and described; the user is told, and nothing stays here.
     */
    public function test_shared(): void {
        $this->there();
        $job = $this->begin();
        $this->assertCount(1, \core\task\manager::get_adhoc_tasks(\local_resourcerepo\task\run_job::class));
        $this->attempt($job);
        $this->assertSame(job::DONE, $job->get('state'));
        $this->assertSame(get_string('shared_draft', 'local_resourcerepo'), $job->get('message'));
        $packer = get_file_packer('application/vnd.moodle.backup');
        $paths = array_column($packer->list_files($this->repository->state . '/uploaded'), 'pathname');
        $this->assertContains('moodle_backup.xml', $paths);
        $this->assertNotContains('users.xml', $paths);
        $sent = json_decode($this->repository->bodies('POST')['/api/v1/resources']);
        $this->assertSame(['Cells', 'CC-BY-4.0', false], [$sent->title, $sent->licence, $sent->release]);
        $this->assertTrue(\local_resourcerepo\api\client::is_id($sent->upload));
        $this->assertSame(0, $this->kept());
        [$message] = $this->messages->get_messages();
        $this->assertSame([(int) $this->teacher->id, 'finished'], [(int) $message->useridto, $message->eventtype]);
        $this->assertStringContainsString('/local/resourcerepo/job.php?id=', $message->contexturl);
        [$draft, $back] = works::share($job, '')->ways_on();
        $this->assertSame('https://resources.example.org/resources/' . running_shelf::ID, $draft['url']);
        $this->assertStringContainsString('/mod/page/view.php', $back['url']);
    }

    /**
     * What the repository found, and what is to be done about it.
     *
     * @return array[]
     */
    public static function endings(): array {
        $blocking = ['finding_class' => 'blocking', 'code' => 'enrolment-key'];
        $names = ['finding_class' => 'attribution', 'code' => 'file-author'];
        $refusal = ['code' => 'no-licence', 'detail' => 'It has no licence.'];
        return [
            'keys' => [[], [$blocking, $names], 'shared_blocked', 1],
            'names' => [[], [$names, $names], 'shared_confirm', 2],
            'not released' => [['release_refused' => $refusal], [], 'shared_refused', 'It has no licence.'],
            'unreadable' => [['processing' => ['state' => 'failed', 'reason' => 'A bomb.']], [], 'shared_failed', 'A bomb.'],
            'released' => [['released_at' => '2026-02-03T04:05:06Z'], [], 'shared_released', null],
        ];
    }

    /**
     * How it ends is told in a sentence.
     *
     * @dataProvider endings
     * @param array $version
     * @param array $findings
     * @param string $string
     * @param mixed $a
     */
    public function test_ends(array $version, array $findings, string $string, $a): void {
        $this->there($version, $findings);
        $job = $this->begin();
        $this->attempt($job);
        $this->assertSame(get_string($string, 'local_resourcerepo', $a), $job->get('message'));
        $this->assertSame(job::DONE, $job->get('state'));
    }

    /**
     * The repository says no: that is told with its reason, and nothing stays.
     */
    public function test_quota(): void {
        $this->repository->refuse('POST /api/v1/tus', 413, 'Your quota has room for 5 MB only.', 'quota-exceeded');
        $job = $this->begin();
        $this->attempt($job);
        $this->assertSame([job::FAILED, 'refused'], [$job->get('state'), $job->get('reason')]);
        $this->assertStringContainsString('Your quota has room for 5 MB only. Do that.', $job->get('message'));
        $this->assertSame(0, $this->kept());
        $this->assertCount(1, $this->messages->get_messages());
    }

    /**
     * The token was taken back: who has to connect is told so, and may go on then.
     */
    public function test_revoked(): void {
        $this->repository->refuse('POST /api/v1/tus', 401, 'This token was revoked.', 'unauthorised');
        $job = $this->begin();
        $this->attempt($job);
        $this->assertSame([job::FAILED, 'accountrequired'], [$job->get('state'), $job->get('reason')]);
        $this->repository->forget('POST /api/v1/tus');
        $this->there();
        $job->go_on();
        $this->assertSame(job::QUEUED, $job->get('state'));
        $this->attempt($job);
        $this->assertSame(job::DONE, $job->get('state'));
    }

    /**
     * A repository that is busy is asked again by itself, when it wants to be, with the same backup.
     */
    public function test_busy(): void {
        $this->there();
        $this->repository->refuse('POST /api/v1/resources', 503, 'Reindexing.', 'busy');
        $job = $this->begin();
        $this->attempt($job);
        $this->assertSame([job::WAITING, 'busy'], [$job->get('state'), $job->get('reason')]);
        $this->assertGreaterThanOrEqual(time() + 100, $job->get('nextattempt'));
        $this->assertSame(1, $this->kept());
        $this->assertCount(0, $this->messages->get_messages());
        $first = file_get_contents($this->repository->state . '/uploaded');

        $this->repository->answer('GET /api/v1/me/resources', ['items' => [], 'next_cursor' => null]);
        $this->repository->answer('POST /api/v1/resources', ['id' => running_shelf::ID, 'url' => '']);
        $this->attempt($job);
        $this->assertSame(job::DONE, $job->get('state'));
        $this->assertSame(sha1($first), sha1_file($this->repository->state . '/uploaded'));
        $this->assertSame(0, $this->kept());
    }

    /**
     * When the answer got lost on its way back, no second resource is made.
     */
    public function test_answer_lost(): void {
        $this->there();
        $this->repository->refuse('POST /api/v1/resources', 500, 'Something broke.');
        $job = $this->begin();
        $this->attempt($job);
        $sha256 = hash_file('sha256', $this->repository->state . '/uploaded');
        $this->assertSame([job::WAITING, 'broken'], [$job->get('state'), $job->get('reason')]);
        $made = ['id' => running_shelf::ID, 'url' => 'https://resources.example.org/x', 'versions' => [['sha256' => $sha256]]];
        $this->repository->answer('GET /api/v1/me/resources', ['items' => [$made], 'next_cursor' => null]);
        $this->attempt($job);
        $this->assertSame(job::DONE, $job->get('state'));
        $posts = array_filter($this->repository->requests(), function(\stdClass $request): bool {
            return $request->method === 'POST' && $request->uri === '/api/v1/resources';
        });
        $this->assertCount(1, $posts);
    }

    /**
     * It is tried so often and no oftener.
     */
    public function test_down(): void {
        $this->repository->stop();
        $job = $this->begin();
        for ($attempt = 1; $attempt <= count(runner::PAUSES); $attempt++) {
            $this->attempt($job);
            $this->assertSame([job::WAITING, 'unreachable'], [$job->get('state'), $job->get('reason')]);
        }
        $this->attempt($job);
        $this->assertSame([job::FAILED, 'unreachable'], [$job->get('state'), $job->get('reason')]);
        $this->assertSame(0, $this->kept());
        $this->repository = new running_shelf();
    }

    /**
     * Who may not share any more does not.
     */
    public function test_not_allowed_any_more(): void {
        global $DB;
        $job = $this->begin();
        $roleid = $DB->get_field('role', 'id', ['shortname' => 'editingteacher']);
        role_change_permission($roleid, \context_course::instance($this->course->id), 'moodle/backup:backupactivity', CAP_PREVENT);
        $this->attempt($job);
        $this->assertSame([job::FAILED, 'sharenotallowed'], [$job->get('state'), $job->get('reason')]);
        $this->assertFileDoesNotExist($this->repository->state . '/requests');
    }

    /**
     * What was deleted meanwhile is not shared.
     */
    public function test_gone(): void {
        $job = $this->begin();
        course_delete_module($this->page->cmid);
        $this->attempt($job);
        $this->assertSame([job::FAILED, 'sourcegone'], [$job->get('state'), $job->get('reason')]);
    }
}
