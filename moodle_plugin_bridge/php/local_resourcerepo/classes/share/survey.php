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
 * What somebody should know of what they are about to share, before it is packed: read from the database, with no backup made.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class survey {
    /**
     * @var string[] Where files of teachers are. Those of learners are in areas of other names, and are not packed.
     */
    const AREAS = [
        'intro', 'introattachment', 'activityattachment', 'content', 'package', 'chapter', 'mediafile', 'page_contents',
        'page_answers', 'page_responses', 'instructauthors', 'instructreviewers', 'conclusion', 'feedback', 'item',
        'page_after_submit', 'summary', 'section', 'overviewfiles', 'questiontext', 'generalfeedback', 'answer',
        'answerfeedback', 'correctfeedback', 'partiallycorrectfeedback', 'incorrectfeedback', 'hint', 'public',
    ];

    /**
     * @var array[] Keys that stand in activities and that Moodle packs even so: module => fields. Those of external tools
     *      are encrypted with a key that only this site has.
     */
    const KEYS = [
        'quiz' => ['password'],
        'lesson' => ['password'],
        'bigbluebuttonbn' => ['moderatorpass', 'viewerpass'],
        'lti' => ['resourcekey', 'password'],
    ];

    /** @var int How many names are shown. */
    const NAMES = 10;

    /** @var subject */
    private $subject;

    /** @var \stdClass[]|null Files of teachers that are in it. */
    private $files = null;

    /**
     * Constructor.
     *
     * @param subject $subject
     */
    public function __construct(subject $subject) {
        $this->subject = $subject;
    }

    /**
     * All there is to know, the most important first.
     *
     * @return array[] each with state (warning or info) and message (plain text)
     */
    public function findings(): array {
        $found = [];
        $warn = function(string $name, $a = null) use (&$found): void {
            $found[] = ['state' => 'warning', 'message' => get_string("survey_{$name}", 'local_resourcerepo', $a)];
        };
        $tell = function(string $name, $a = null) use (&$found): void {
            $found[] = ['state' => 'info', 'message' => get_string("survey_{$name}", 'local_resourcerepo', $a)];
        };
        if ($keys = $this->keys()) {
            $warn('keys', implode(', ', $keys));
        }
        if ($count = $this->under_licence('allrightsreserved')) {
            $warn('allrightsreserved', $count);
        }
        if ($count = $this->under_licence('unknown')) {
            $warn('unknownlicence', $count);
        }
        if ($count = $this->hidden()) {
            $warn('hidden', $count);
        }
        if ($left = $this->left_out()) {
            $warn('leftout', implode(', ', $left));
        }
        if ($authors = $this->authors()) {
            $shown = array_slice($authors, 0, self::NAMES);
            $more = count($authors) - count($shown);
            $names = implode(', ', $shown) . ($more > 0 ? ' …' : '');
            $tell('authors', $names);
        }
        $tell('people');
        $tell('texts');
        return $found;
    }

    /**
     * What the files together have for size.
     *
     * @return int bytes
     */
    public function size(): int {
        $sizes = array_column($this->files(), 'filesize', 'contenthash');
        return (int) array_sum($sizes);
    }

    /**
     * The licence that most of the files have, among those that say something.
     *
     * @return string|null short name of Moodle's
     */
    public function licence(): ?string {
        $counts = array_count_values(array_filter(array_column($this->files(), 'license')));
        unset($counts['unknown'], $counts['allrightsreserved']);
        arsort($counts);
        return $counts ? (string) key($counts) : null;
    }

    /**
     * Whom the files name as their authors.
     *
     * @return string[]
     */
    public function authors(): array {
        $named = array_filter(array_column($this->files(), 'author'));
        $authors = array_unique(array_filter(array_map('trim', $named), 'strlen'));
        sort($authors);
        return array_values($authors);
    }

    /**
     * Where keys are that Moodle packs.
     *
     * @return string[] for people
     */
    public function keys(): array {
        global $DB;
        $found = [];
        if ($this->subject->kind === subject::COURSE) {
            foreach ($DB->get_records('enrol', ['courseid' => $this->subject->id]) as $instance) {
                if ((string) $instance->password !== '' && $plugin = enrol_get_plugin($instance->enrol)) {
                    $found[] = html_to_text($plugin->get_instance_name($instance), 0, false);
                }
            }
        }
        foreach ($this->subject->activities() as $cm) {
            foreach (self::KEYS[$cm->modname] ?? [] as $field) {
                if ((string) $DB->get_field($cm->modname, $field, ['id' => $cm->instance]) !== '') {
                    $found[] = format_string($cm->name, true, ['context' => $cm->context, 'escape' => false]);
                    break;
                }
            }
        }
        return $found;
    }

    /**
     * How many activities learners cannot see.
     *
     * @return int
     */
    private function hidden(): int {
        return count(array_filter($this->subject->activities(), function(\cm_info $cm): bool {
            return !$cm->visible;
        }));
    }

    /**
     * Activities that Moodle cannot pack.
     *
     * @return string[]
     */
    private function left_out(): array {
        if ($this->subject->kind === subject::ACTIVITY) {
            return [];
        }
        $names = [];
        foreach (get_fast_modinfo($this->subject->course)->get_cms() as $cm) {
            $inside = $this->subject->kind === subject::COURSE || (int) $cm->section === $this->subject->id;
            if ($inside && !$cm->deletioninprogress && !subject::can_be_packed($cm)) {
                $names[] = format_string($cm->name, true, ['context' => $cm->context, 'escape' => false]);
            }
        }
        return $names;
    }

    /**
     * How many files have a licence.
     *
     * @param string $shortname of Moodle's
     * @return int
     */
    private function under_licence(string $shortname): int {
        return count(array_filter($this->files(), function(\stdClass $file) use ($shortname): bool {
            return ($file->license ?: 'unknown') === $shortname;
        }));
    }

    /**
     * The files of teachers that are in it.
     *
     * @return \stdClass[] with contenthash, filesize, license, author
     */
    private function files(): array {
        global $DB;
        if ($this->files !== null) {
            return $this->files;
        }
        $contexts = array_map(function(\cm_info $cm): int {
            return $cm->context->id;
        }, $this->subject->activities());
        if ($this->subject->kind === subject::COURSE) {
            $contexts[] = \context_course::instance($this->subject->id)->id;
        }
        $this->files = [];
        foreach (array_chunk($contexts, 500) as $some) {
            [$incontexts, $params] = $DB->get_in_or_equal($some, SQL_PARAMS_NAMED, 'c');
            [$inareas, $more] = $DB->get_in_or_equal(self::AREAS, SQL_PARAMS_NAMED, 'a');
            $sql = "SELECT id, contenthash, filesize, license, author, component, filearea
                      FROM {files}
                     WHERE contextid $incontexts AND filearea $inareas AND filename <> '.' AND filesize > 0";
            foreach ($DB->get_records_sql($sql, $params + $more) as $file) {
                $unpacked = $file->component === 'mod_scorm' && $file->filearea === 'content';
                $ofusers = in_array($file->component, ['mod_data', 'mod_forum', 'mod_glossary', 'mod_wiki'], true) &&
                    $file->filearea !== 'intro';
                if (!$unpacked && !$ofusers) { // What Moodle took out of a package has no licence of its own.
                    $this->files[] = $file;
                }
            }
        }
        return $this->files;
    }
}
