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

namespace local_resourcerepo\add;

use local_resourcerepo\fake_catalogue;
use local_resourcerepo\job\job;
use local_resourcerepo\job\runner;
use local_resourcerepo\licences;
use local_resourcerepo\running_shelf;
use local_resourcerepo\share\packer;
use local_resourcerepo\share\subject;
use local_resourcerepo\works;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../fixtures/fake_catalogue.php');
require_once(__DIR__ . '/../fixtures/running_shelf.php');
require_once(__DIR__ . '/../fixtures/works.php');

/**
 * Adding, over real sockets, of backups that Moodle made; and that nothing is left when it fails.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_resourcerepo\add\work
 * @covers     \local_resourcerepo\add\archive
 * @covers     \local_resourcerepo\add\restorer
 * @covers     \local_resourcerepo\add\ledger
 * @covers     \local_resourcerepo\add\file_resource
 * @covers     \local_resourcerepo\add\permission
 * @covers     \local_resourcerepo\job\progress
 */
final class work_test extends \advanced_testcase {
    /** @var string[] Tables in which a restore leaves something. */
    const TABLES = [
        'course', 'course_modules', 'course_sections', 'context', 'page', 'quiz', 'forum', 'files', 'question',
        'question_categories',
        'question_bank_entries', 'question_versions', 'grade_items', 'grade_categories', 'scale', 'groups', 'groupings', 'event',
        'block_instances', 'enrol', 'user_enrolments', 'tool_recyclebin_course', 'tool_recyclebin_category',
    ];

    /** @var running_shelf */
    private $repository;

    /** @var \stdClass Where things go to. */
    private $course;

    /** @var \stdClass */
    private $teacher;

    /** @var string Where backups of tests are. */
    private $folder;

    /** @var string What the task's log says of the last attempt. */
    private $log = '';

    /**
     * A repository, and a teacher with a course.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->repository = new running_shelf();
        $this->folder = make_request_directory();
        $this->course = $this->getDataGenerator()->create_course(['numsections' => 2], ['createsections' => true]);
        $this->getDataGenerator()->create_module('page', ['course' => $this->course->id, 'section' => 1, 'name' => 'Mine']);
        $this->teacher = $this->getDataGenerator()->create_and_enrol($this->course, 'editingteacher');
        \grade_category::fetch_course_category($this->course->id); // Moodle makes it when somebody first looks for it.
        $this->redirectMessages();
    }

    /**
     * Stop it.
     */
    protected function tearDown(): void {
        $this->repository->stop();
        fake_catalogue::forget_answers();
        parent::tearDown();
    }

    /**
     * A course of somebody else's: a section with a page and a quiz with a question, and a section with a forum.
     *
     * @return \stdClass
     */
    private function source(): \stdClass {
        $generator = $this->getDataGenerator();
        $source = $generator->create_course(['fullname' => 'Cells', 'numsections' => 2], ['createsections' => true]);
        $this->setAdminUser();
        $section = get_fast_modinfo($source)->get_section_info(1);
        course_update_section($source, $section, ['name' => 'Membranes', 'summary' => 'All of them.']);
        $source->page = $generator->create_module('page', ['course' => $source->id, 'section' => 1, 'name' => 'Osmosis']);
        $source->quiz = $generator->create_module('quiz', ['course' => $source->id, 'section' => 1, 'name' => 'Check']);
        $source->forum = $generator->create_module('forum', ['course' => $source->id, 'section' => 2, 'name' => 'Questions']);
        $questions = $generator->get_plugin_generator('core_question');
        $category = $questions->create_question_category(['contextid' => \context_module::instance($source->quiz->cmid)->id]);
        $question = $questions->create_question('shortanswer', null, ['category' => $category->id]);
        quiz_add_quiz_question($question->id, $source->quiz);
        return $source;
    }

    /**
     * A backup of something.
     *
     * @param string $kind
     * @param int $id
     * @return string path
     */
    private function backup(string $kind, int $id): string {
        $this->setAdminUser();
        $file = packer::pack(subject::find($kind, $id), (int) get_admin()->id, (object) [
            'contextid' => \context_system::instance()->id,
            'component' => 'local_resourcerepo', 'filearea' => 'test', 'itemid' => 1, 'filepath' => '/', 'filename' => 'backup.mbz',
        ], new \core\progress\none());
        $path = "{$this->folder}/{$kind}-{$id}.mbz";
        $file->copy_content_to($path);
        $file->delete();
        return $path;
    }

    /**
     * The same backup with something else in it.
     *
     * @param string $path
     * @param callable $change called with the folder in which it is unpacked
     * @return string path
     */
    private function changed(string $path, callable $change): string {
        $unpacked = make_request_directory();
        $packer = get_file_packer('application/vnd.moodle.backup');
        $packer->extract_to_pathname($path, $unpacked);
        $change($unpacked);
        $target = "{$this->folder}/changed.mbz";
        get_file_packer('application/zip')->archive_to_pathname(
            array_combine(array_diff(scandir($unpacked), ['.', '..']), array_map(function(string $name) use ($unpacked): string {
                return "{$unpacked}/{$name}";
            }, array_diff(scandir($unpacked), ['.', '..']))),
            $target
        );
        return $target;
    }

    /**
     * The teacher asks for it, and it is tried once.
     *
     * @param array $request
     * @return job
     */
    private function add(array $request): job {
        $this->setUser($this->teacher);
        $job = job::begin(job::ADD, (int) $this->course->id, 'Cells', $request + [
            'resource' => running_shelf::ID, 'version' => 1, 'filename' => 'shared.mbz', 'kind' => 'course',
            'how' => selection::WHOLE, 'parts' => [], 'section' => 0, 'category' => 0,
        ]);
        $this->attempt($job);
        return $job;
    }

    /**
     * One attempt.
     *
     * @param job $job
     * @return void
     */
    private function attempt(job $job): void {
        ob_start();
        runner::attempt($job, works::add($job, $this->repository->baseurl));
        $this->log = ob_get_clean();
    }

    /**
     * Names of activities by the numbers of their sections.
     *
     * @param int $courseid
     * @return string[][]
     */
    private function outline(int $courseid): array {
        $outline = [];
        foreach (get_fast_modinfo($courseid)->get_cms() as $cm) {
            $outline[$cm->sectionnum][] = $cm->name;
        }
        ksort($outline);
        return $outline;
    }

    /**
     * How much there is in this site's tables and temporary folders.
     *
     * @return array
     */
    private function state(): array {
        global $DB;
        $counts = [];
        foreach (self::TABLES as $table) {
            $counts[$table] = $DB->count_records_select($table, $table === 'files' ? "component <> 'core'" : '');
        }
        $fields = 'id, section, name, summary, sequence';
        $counts['sections'] = $DB->get_records('course_sections', ['course' => $this->course->id], 'id', $fields);
        // A restore that Moodle refuses to begin leaves a log without a name to know it by: Moodle's cron removes it.
        $counts['folders'] = preg_grep('/\.log$/', scandir(make_backup_temp_directory('')), PREG_GREP_INVERT);
        return json_decode(json_encode($counts), true);
    }

    /**
     * A single activity comes into the section that was chosen, with its questions.
     */
    public function test_activity(): void {
        global $DB;
        $source = $this->source();
        $this->repository->put('course', $this->backup('course', $source->id));
        $path = '/api/v1/resources/' . running_shelf::ID . '/versions/1/activities/';
        $this->repository->give("{$path}55.mbz", $this->backup('activity', $source->quiz->cmid));
        $this->repository->give("{$path}66.mbz", $this->backup('activity', $source->forum->cmid));
        $folders = scandir(make_backup_temp_directory(''));
        $questions = $DB->count_records('question');
        $job = $this->add([
            'how' => selection::PARTS, 'section' => (int) get_fast_modinfo($this->course)->get_section_info(2)->id,
            'parts' => [['sort' => 'activity', 'id' => 55], ['sort' => 'activity', 'id' => 66]],
        ]);
        $this->assertSame(job::DONE, $job->get('state'), $this->log);
        $this->assertSame([1 => ['Mine'], 2 => ['Check', 'Questions']], $this->outline((int) $this->course->id));
        $this->assertSame($questions + 1, $DB->count_records('question'));
        $this->assertSame($folders, scandir(make_backup_temp_directory('')));
        $this->assertNull($job->get('made'));
        $counts = (object) ['activities' => 2, 'sections' => 0];
        $this->assertSame(get_string('added_parts', 'local_resourcerepo', $counts), $job->get('message'));
    }

    /**
     * A section becomes a new one at the end: it does not mix with the section that has its number here.
     */
    public function test_section(): void {
        $source = $this->source();
        $section = (int) get_fast_modinfo($source)->get_section_info(1)->id;
        $this->repository->put('course', $this->backup('course', $source->id));
        $this->repository->give(
            '/api/v1/resources/' . running_shelf::ID . '/versions/1/sections/77.mbz',
            $this->backup('section', $section)
        );
        $job = $this->add(['how' => selection::PARTS, 'parts' => [['sort' => 'section', 'id' => 77]]]);
        $this->assertSame(job::DONE, $job->get('state'), $this->log);
        $this->assertSame([1 => ['Mine'], 3 => ['Osmosis', 'Check']], $this->outline((int) $this->course->id));
        $this->assertSame('Membranes', get_section_name($this->course, 3));
        $this->assertStringContainsString('section-3', works::add($job, '')->ways_on()[0]['url']);
    }

    /**
     * A whole course goes into this one, whose name and settings stay.
     */
    public function test_whole_course(): void {
        global $DB;
        $before = $DB->get_record('course', ['id' => $this->course->id], 'fullname, shortname, summary, format, visible');
        $this->repository->put('course', $this->backup('course', $this->source()->id));
        $job = $this->add([]);
        $this->assertSame(job::DONE, $job->get('state'), $this->log);
        $this->assertSame([1 => ['Mine', 'Osmosis', 'Check'], 2 => ['Questions']], $this->outline((int) $this->course->id));
        $after = $DB->get_record('course', ['id' => $this->course->id], 'fullname, shortname, summary, format, visible');
        $this->assertEquals($before, $after);
    }

    /**
     * A new course is made where the user may make some, and they are let in.
     */
    public function test_new_course(): void {
        global $DB;
        $this->setAdminUser();
        $category = $this->getDataGenerator()->create_category();
        $this->repository->put('course', $this->backup('course', $this->source()->id));
        $roleid = $DB->get_field('role', 'id', ['shortname' => 'manager']);
        role_assign($roleid, $this->teacher->id, \context_coursecat::instance($category->id));
        role_change_permission($roleid, \context_coursecat::instance($category->id), 'moodle/course:view', CAP_PREVENT);
        $job = $this->add(['how' => selection::NEWCOURSE, 'category' => (int) $category->id]);
        $this->assertSame(job::DONE, $job->get('state'), $this->log);
        $course = $DB->get_record('course', ['category' => $category->id], '*', MUST_EXIST);
        $this->assertSame([1 => ['Osmosis', 'Check'], 2 => ['Questions']], $this->outline((int) $course->id));
        $this->assertStringContainsString("id={$course->id}", $job->result()->url);
        $this->assertTrue(is_enrolled(\context_course::instance($course->id), $this->teacher));
        $this->assertSame('0', (string) $course->visible);
        $this->assertSame([1 => ['Mine']], $this->outline((int) $this->course->id));
    }

    /**
     * Who may make no course gets none.
     */
    public function test_new_course_not_allowed(): void {
        $this->setAdminUser();
        $category = $this->getDataGenerator()->create_category();
        $this->repository->put('course', $this->backup('course', $this->source()->id));
        $before = $this->state();
        $job = $this->add(['how' => selection::NEWCOURSE, 'category' => (int) $category->id]);
        $this->assertSame([job::FAILED, 'newcoursenotallowed'], [$job->get('state'), $job->get('reason')]);
        $this->assertSame($before, $this->state());
    }

    /**
     * What is no backup becomes a file, with its author and licence.
     */
    public function test_file(): void {
        global $DB;
        fake_catalogue::configure();
        fake_catalogue::answers(fake_catalogue::licences());
        $this->assertSame('cc-4.0', licences::shortname('CC-BY-4.0')); // From now on it is in the cache.
        $path = "{$this->folder}/soil.pdf";
        file_put_contents($path, '%PDF-1.4 soil');
        $this->repository->put('file', $path, 'soil.pdf');
        $section = (int) get_fast_modinfo($this->course)->get_section_info(2)->id;
        $job = $this->add(['how' => selection::FILE, 'kind' => 'file', 'filename' => 'soil.pdf', 'section' => $section]);
        $this->assertSame(job::DONE, $job->get('state'), $this->log);
        $this->assertSame([1 => ['Mine'], 2 => ['Cells']], $this->outline((int) $this->course->id));
        $file = $DB->get_record('files', ['component' => 'mod_resource', 'filearea' => 'content', 'filename' => 'soil.pdf']);
        $this->assertSame(['Ada Lovelace, Bob', 'cc-4.0'], [$file->author, $file->license]);
        $this->assertSame('https://resources.example.org/resources/' . running_shelf::ID, $file->source);
    }

    /**
     * A file that is too large for the course is refused before it is asked for.
     */
    public function test_file_too_large(): void {
        global $DB;
        $DB->set_field('course', 'maxbytes', 1024, ['id' => $this->course->id]);
        file_put_contents("{$this->folder}/soil.pdf", str_repeat('x', 2000));
        $this->repository->put('file', "{$this->folder}/soil.pdf", 'soil.pdf');
        $job = $this->add(['how' => selection::FILE, 'kind' => 'file', 'filename' => 'soil.pdf']);
        $this->assertSame([job::FAILED, 'toolargehere'], [$job->get('state'), $job->get('reason')]);
        $this->assertSame([1 => ['Mine']], $this->outline((int) $this->course->id));
    }

    /**
     * What may go wrong: how it is broken, and what it is called.
     *
     * @return array[]
     */
    public static function breakages(): array {
        return [
            'not a backup' => ['garbage', 'brokenarchive'],
            'half of an archive' => ['half', 'brokenarchive'],
            'no manifest' => ['nomanifest', 'brokenarchive'],
            'an activity that cannot be read, after others' => ['malformed', 'restorefailed'],
            'a front page' => ['frontpage', 'precheck'],
            'a name like a tag' => ['tag', 'namewithtags'],
        ];
    }

    /**
     * A broken backup of a whole course.
     *
     * @param string $how
     * @return string path
     */
    private function broken(string $how): string {
        $path = $this->backup('course', $this->source()->id);
        if ($how === 'garbage' || $how === 'half') {
            $content = $how === 'half' ? file_get_contents($path, false, null, 0, intdiv(filesize($path), 2)) : 'It works!';
            file_put_contents($path, $content);
            return $path;
        }
        return $this->changed($path, function(string $folder) use ($how): void {
            $manifest = "{$folder}/moodle_backup.xml";
            $xml = file_get_contents($manifest);
            switch ($how) {
                case 'nomanifest':
                    unlink($manifest);
                    break;
                case 'malformed':
                    [$forum] = glob("{$folder}/activities/forum_*/forum.xml");
                    file_put_contents($forum, str_replace('</forum>', '', file_get_contents($forum)));
                    break;
                case 'frontpage':
                    file_put_contents($manifest, preg_replace('~(<original_course_format>)[^<]*~', '$1site', $xml));
                    break;
                case 'tag':
                    $named = '<original_course_fullname>';
                    file_put_contents($manifest, str_replace("{$named}Cells<", "{$named}I &lt;b&gt;love&lt;/b&gt; it<", $xml));
                    break;
            }
        });
    }

    /**
     * Nothing stays of what fails: not in the course, nor as a new one, nor in any table or folder.
     *
     * @dataProvider breakages
     * @param string $how
     * @param string $reason
     */
    public function test_nothing_stays(string $how, string $reason): void {
        global $DB;
        set_config('coursebinenable', 1, 'tool_recyclebin');
        set_config('categorybinenable', 1, 'tool_recyclebin');
        $this->repository->put('course', $this->broken($how));
        $category = $this->getDataGenerator()->create_category();
        role_assign(
            $DB->get_field('role', 'id', ['shortname' => 'manager']),
            $this->teacher->id,
            \context_coursecat::instance($category->id)
        );
        $wanted = [[], ['how' => selection::NEWCOURSE, 'category' => (int) $category->id]];
        foreach ($wanted as $request) {
            $this->setUser($this->teacher);
            $before = $this->state();
            $job = $this->add($request);
            $this->assertSame([job::FAILED, $reason], [$job->get('state'), $job->get('reason')], $this->log);
            $this->assertNull($job->get('made'));
            $this->assertSame($before, $this->state());
            $this->assertSame([1 => ['Mine']], $this->outline((int) $this->course->id));
        }
    }

    /**
     * When the third of three parts fails, the first two go, too.
     */
    public function test_all_or_nothing(): void {
        $source = $this->source();
        $this->repository->put('course', $this->backup('course', $source->id));
        $path = '/api/v1/resources/' . running_shelf::ID . '/versions/1';
        $section = (int) get_fast_modinfo($source)->get_section_info(1)->id;
        $this->repository->give("{$path}/sections/1.mbz", $this->backup('section', $section));
        $this->repository->give("{$path}/activities/2.mbz", $this->backup('activity', $source->quiz->cmid));
        $broken = $this->changed($this->backup('activity', $source->forum->cmid), function(string $folder): void {
            [$forum] = glob("{$folder}/activities/forum_*/forum.xml");
            file_put_contents($forum, str_replace('</forum>', '', file_get_contents($forum)));
        });
        $this->repository->give("{$path}/activities/3.mbz", $broken);
        $this->setUser($this->teacher);
        $before = $this->state();
        $job = $this->add(['how' => selection::PARTS, 'parts' => [
            ['sort' => 'section', 'id' => 1], ['sort' => 'activity', 'id' => 2], ['sort' => 'activity', 'id' => 3],
        ]]);
        $this->assertSame([job::FAILED, 'restorefailed'], [$job->get('state'), $job->get('reason')]);
        $this->assertSame($before, $this->state());
    }

    /**
     * A download that breaks half-way is tried again later, and leaves nothing meanwhile.
     */
    public function test_download_breaks(): void {
        $file = $this->backup('course', $this->source()->id);
        $this->repository->put('course', $file);
        $path = '/files/' . running_shelf::ID . '/1/shared.mbz';
        $this->repository->give($path, $file, intdiv(filesize($file), 2));
        $this->setUser($this->teacher);
        $before = $this->state();
        $job = $this->add([]);
        $this->assertSame([job::WAITING, 'brokenoff'], [$job->get('state'), $job->get('reason')]);
        $this->assertSame($before, $this->state());
        $this->repository->give($path, $file);
        $this->attempt($job);
        $this->assertSame(job::DONE, $job->get('state'), $this->log);
    }

    /**
     * A file that is not the one announced is thrown away.
     */
    public function test_download_damaged(): void {
        $file = $this->backup('course', $this->source()->id);
        $this->repository->put('course', $file);
        $other = "{$this->folder}/other.mbz";
        file_put_contents($other, strrev(file_get_contents($file)));
        $this->repository->give('/files/' . running_shelf::ID . '/1/shared.mbz', $other);
        $job = $this->add([]);
        $this->assertSame([job::FAILED, 'damaged'], [$job->get('state'), $job->get('reason')]);
        $this->assertSame([1 => ['Mine']], $this->outline((int) $this->course->id));
    }

    /**
     * What was withdrawn meanwhile, and what has learners' data in it, is told with the repository's reason.
     */
    public function test_refused(): void {
        $this->repository->put('course', $this->backup('course', $this->source()->id));
        $path = '/api/v1/resources/' . running_shelf::ID;
        $this->repository->refuse("GET {$path}/versions/1/activities/5.mbz", 409, 'It has learners in it.', 'blocking-findings');
        $job = $this->add(['how' => selection::PARTS, 'parts' => [['sort' => 'activity', 'id' => 5]]]);
        $this->assertSame([job::FAILED, 'refused'], [$job->get('state'), $job->get('reason')]);
        $this->assertStringContainsString('It has learners in it. Do that.', $job->get('message'));
        $this->repository->refuse("GET {$path}", 410, 'Its owner took it back.', 'gone');
        $job = $this->add([]);
        $this->assertSame([job::FAILED, 'gone'], [$job->get('state'), $job->get('reason')]);
        $this->assertStringContainsString('Its owner took it back.', $job->get('message'));
    }

    /**
     * Capabilities, any of which is missing in the course.
     *
     * @return array[]
     */
    public static function capabilities(): array {
        return [
            ['local/resourcerepo:add'], ['moodle/restore:restorecourse'], ['moodle/restore:uploadfile'],
            ['moodle/course:manageactivities'],
        ];
    }

    /**
     * Who may not do it any more when it is their turn does not do it; nothing is even downloaded.
     *
     * @dataProvider capabilities
     * @param string $capability
     */
    public function test_not_allowed_any_more(string $capability): void {
        global $DB;
        $this->repository->put('course', $this->backup('course', $this->source()->id));
        $roleid = $DB->get_field('role', 'id', ['shortname' => 'editingteacher']);
        role_change_permission($roleid, \context_course::instance($this->course->id), $capability, CAP_PREVENT);
        $job = $this->add([]);
        $this->assertSame([job::FAILED, 'addnotallowed'], [$job->get('state'), $job->get('reason')]);
        $this->assertFileDoesNotExist($this->repository->state . '/requests');
    }

    /**
     * A course that was deleted meanwhile takes nothing.
     */
    public function test_course_gone(): void {
        $this->setUser($this->teacher);
        $job = job::begin(job::ADD, (int) $this->course->id, 'Cells', ['how' => selection::WHOLE, 'kind' => 'course']);
        ob_start(); // What plugins say of it.
        delete_course($this->course->id, false);
        ob_end_clean();
        $this->attempt($job);
        $this->assertSame([job::FAILED, 'coursegone'], [$job->get('state'), $job->get('reason')]);
    }

    /**
     * What Moodle warns of is asked before anything is added; nothing is downloaded twice.
     */
    public function test_warnings_are_asked(): void {
        $path = $this->changed($this->backup('course', $this->source()->id), function(string $folder): void {
            $manifest = "{$folder}/moodle_backup.xml";
            $newer = preg_replace('~<moodle_version>\d+~', '<moodle_version>2099010100', file_get_contents($manifest));
            file_put_contents($manifest, $newer);
        });
        $this->repository->put('course', $path);
        $this->setUser($this->teacher);
        $outline = $this->outline((int) $this->course->id);
        $job = $this->add([]);
        $this->assertSame(job::ASKING, $job->get('state'), $this->log);
        $this->assertNotEmpty($job->get('message'));
        $this->assertSame($outline, $this->outline((int) $this->course->id));
        $this->repository->forget('GET /files/' . running_shelf::ID . '/1/shared.mbz');
        $job->go_on();
        $this->attempt($job);
        $this->assertSame(job::DONE, $job->get('state'), $this->log);
        $this->assertSame([1 => ['Mine', 'Osmosis', 'Check'], 2 => ['Questions']], $this->outline((int) $this->course->id));
        $context = \context_user::instance($this->teacher->id);
        $this->assertSame([], get_file_storage()->get_area_files($context->id, 'local_resourcerepo', 'job'));
    }

    /**
     * What somebody left who died at it is taken away before it is tried again; what others did meanwhile stays.
     */
    public function test_died(): void {
        global $DB;
        $this->repository->put('course', $this->backup('course', $this->source()->id));
        $this->setUser($this->teacher);
        $job = job::begin(job::ADD, (int) $this->course->id, 'Cells', [
            'resource' => running_shelf::ID, 'version' => 1, 'filename' => 'shared.mbz', 'kind' => 'course',
            'how' => selection::WHOLE, 'section' => 0, 'category' => 0,
        ]);
        $job->start();
        $ledger = new ledger($job);
        $ledger->open();
        $half = $this->getDataGenerator()->create_module('page', ['course' => $this->course->id, 'section' => 2, 'name' => 'Half']);
        $ledger->note_activity((int) $half->cmid);
        $this->getDataGenerator()->create_module('page', ['course' => $this->course->id, 'section' => 2, 'name' => 'A colleague']);
        $this->attempt(new job($job->get('id')));
        $outline = $this->outline((int) $this->course->id);
        $this->assertSame([1 => ['Mine', 'Osmosis', 'Check'], 2 => ['A colleague', 'Questions']], $outline);
        $this->assertFalse($DB->record_exists('course_modules', ['id' => $half->cmid]));
    }

    /**
     * A disk without room is told before anything is downloaded.
     */
    public function test_no_room(): void {
        $file = $this->backup('activity', $this->source()->page->cmid);
        $this->repository->put('course', $file);
        $this->repository->answer('GET /api/v1/resources/' . running_shelf::ID, ['id' => running_shelf::ID, 'title' => 'Cells',
            'visibility' => 'public', 'versions' => [['number' => 1, 'file_name' => 'shared.mbz', 'size' => PHP_INT_MAX >> 3,
            'sha256' => str_repeat('a', 64), 'released_at' => '2026-02-03T04:05:06Z']]]);
        $job = $this->add([]);
        $this->assertSame([job::FAILED, 'nospace'], [$job->get('state'), $job->get('reason')]);
        $this->assertArrayNotHasKey('/files/' . running_shelf::ID . '/1/shared.mbz', $this->repository->bodies('GET'));
    }
}
