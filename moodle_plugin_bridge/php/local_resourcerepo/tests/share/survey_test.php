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

/**
 * What somebody is told before they share.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_resourcerepo\share\survey
 * @covers     \local_resourcerepo\share\subject
 */
final class survey_test extends \advanced_testcase {
    /** @var \stdClass */
    private $course;

    /**
     * A course.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->course = $this->getDataGenerator()->create_course(['numsections' => 2]);
        $this->setAdminUser();
    }

    /**
     * A file in an activity.
     *
     * @param \stdClass $module
     * @param array $record
     * @param string $filearea
     * @return void
     */
    private function file(\stdClass $module, array $record, string $filearea = 'content'): void {
        get_file_storage()->create_file_from_string($record + [
            'contextid' => \context_module::instance($module->cmid)->id, 'component' => 'mod_' . ($record['component'] ?? 'folder'),
            'filearea' => $filearea, 'itemid' => 0, 'filepath' => '/', 'filename' => random_string(8) . '.txt',
        ], random_string(100));
    }

    /**
     * The survey of the course.
     *
     * @return survey
     */
    private function survey(): survey {
        return new survey(subject::find(subject::COURSE, (int) $this->course->id));
    }

    /**
     * What it says, by state.
     *
     * @param survey $survey
     * @return string[] the sentences together
     */
    private function said(survey $survey): array {
        $said = ['warning' => '', 'info' => ''];
        foreach ($survey->findings() as $finding) {
            $said[$finding['state']] .= $finding['message'] . "\n";
        }
        return $said;
    }

    /**
     * Of an empty course there is nothing to warn of; what no machine can judge is said always.
     */
    public function test_nothing_found(): void {
        $said = $this->said($this->survey());
        $this->assertSame('', $said['warning']);
        $this->assertStringContainsString(get_string('survey_people', 'local_resourcerepo'), $said['info']);
        $this->assertStringContainsString(get_string('survey_texts', 'local_resourcerepo'), $said['info']);
        $this->assertSame(0, $this->survey()->size());
    }

    /**
     * Keys are named by where they are, never by what they are.
     */
    public function test_keys(): void {
        global $DB;
        $DB->set_field('enrol', 'password', 'SELF-KEY-oak', ['courseid' => $this->course->id, 'enrol' => 'self']);
        $quiz = $this->getDataGenerator()->create_module('quiz', ['course' => $this->course->id, 'name' => 'Final test']);
        $DB->set_field('quiz', 'password', 'quiz-secret', ['id' => $quiz->id]);
        $this->getDataGenerator()->create_module('quiz', ['course' => $this->course->id, 'name' => 'Open test']);
        $said = $this->said($this->survey())['warning'];
        $this->assertStringContainsString('Final test', $said);
        $this->assertStringContainsString('Self enrolment', $said);
        $this->assertStringNotContainsString('Open test', $said);
        $this->assertStringNotContainsString('SELF-KEY-oak', $said);
        $this->assertStringNotContainsString('quiz-secret', $said);
        $this->assertSame(['Final test'], (new survey(subject::find(subject::ACTIVITY, (int) $quiz->cmid)))->keys());
    }

    /**
     * Licences, authors and sizes are those of teachers' files: what learners handed in is not packed.
     */
    public function test_files(): void {
        $generator = $this->getDataGenerator();
        $folder = $generator->create_module('folder', ['course' => $this->course->id]);
        $this->file($folder, ['license' => 'allrightsreserved', 'author' => 'Ada Lovelace']);
        $this->file($folder, ['license' => 'cc-4.0', 'author' => ' Bob ']);
        $this->file($folder, ['license' => 'cc-4.0', 'author' => 'Bob']);
        $this->file($folder, ['license' => 'unknown', 'author' => null]);
        $forum = $generator->create_module('forum', ['course' => $this->course->id]);
        $this->file($forum, ['component' => 'mod_forum', 'author' => 'A learner', 'license' => 'allrightsreserved'], 'attachment');
        $assign = $generator->create_module('assign', ['course' => $this->course->id]);
        $this->file($assign, ['component' => 'assignsubmission_file', 'author' => 'A learner'], 'submission_files');
        $survey = $this->survey();
        $this->assertSame(400, $survey->size());
        $this->assertSame(['Ada Lovelace', 'Bob'], $survey->authors());
        $this->assertSame('cc-4.0', $survey->licence());
        $said = $this->said($survey);
        $this->assertStringContainsString(get_string('survey_allrightsreserved', 'local_resourcerepo', 1), $said['warning']);
        $this->assertStringContainsString(get_string('survey_unknownlicence', 'local_resourcerepo', 1), $said['warning']);
        $this->assertStringContainsString('Ada Lovelace, Bob', $said['info']);
        $this->assertStringNotContainsString('A learner', implode('', $said));
    }

    /**
     * What is hidden is shared, too, and that is said; of a section only what is in it counts.
     */
    public function test_hidden(): void {
        $generator = $this->getDataGenerator();
        $generator->create_module('page', ['course' => $this->course->id, 'section' => 1, 'visible' => 0]);
        $generator->create_module('page', ['course' => $this->course->id, 'section' => 2]);
        $this->assertStringContainsString(
            get_string('survey_hidden', 'local_resourcerepo', 1),
            $this->said($this->survey())['warning']
        );
        $second = get_fast_modinfo($this->course)->get_section_info(2);
        $section = subject::find(subject::SECTION, (int) $second->id);
        $this->assertCount(1, $section->activities());
        $this->assertSame('', $this->said(new survey($section))['warning']);
    }

    /**
     * A description has no pictures that nobody else could see.
     */
    public function test_summary_without_files(): void {
        $intro = '<p>Look: <img src="@@PLUGINFILE@@/a.png"> and <a href="@@PLUGINFILE@@/b.pdf">read <b>this</b></a>,
            <a href="https://example.org">that</a>.<script>alert(1)</script></p>';
        $page = $this->getDataGenerator()->create_module('page', ['course' => $this->course->id, 'intro' => $intro]);
        $summary = subject::find(subject::ACTIVITY, (int) $page->cmid)->summary();
        $this->assertStringNotContainsString('PLUGINFILE', $summary);
        $this->assertStringNotContainsString('<script', $summary);
        $this->assertStringContainsString('read <b>this</b>', $summary);
        $this->assertStringContainsString('https://example.org', $summary);
    }
}
