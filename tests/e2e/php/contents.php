<?php
// This file is part of the Moodle resources repository (AGPL-3.0-or-later).

/**
 * What a course of a real Moodle holds, for scripts that have read its config.php.
 */

defined('MOODLE_INTERNAL') || die();

require_once($CFG->dirroot . '/question/engine/bank.php');
require_once($CFG->dirroot . '/mod/quiz/locallib.php');

/** Questions of each quiz that are really there: what a slot refers to, in its newest version. */
function quiz_questions(int $courseid): array {
    global $DB;
    $found = [];
    foreach ($DB->get_records('quiz', ['course' => $courseid], 'name') as $quiz) {
        $structure = \mod_quiz\structure::create_for_quiz(\mod_quiz\quiz_settings::create($quiz->id));
        $questions = [];
        foreach ($structure->get_slots() as $slot) {
            $questions[] = ($slot->qtype ?? '?') . ': ' . ($slot->name ?? '?');
        }
        sort($questions);
        $found[$quiz->name] = $questions;
    }
    return $found;
}

/** Files within the course, with the SHA-1 of what can be read of each. */
function files_of(int $courseid): array {
    global $DB;
    $context = context_course::instance($courseid);
    $records = $DB->get_records_sql(
        "SELECT f.* FROM {files} f JOIN {context} c ON c.id = f.contextid
          WHERE (c.id = ? OR c.path LIKE ?) AND f.filename <> '.' AND f.component <> 'tool_recyclebin'
                AND f.component <> 'backup'",
        [$context->id, $context->path . '/%']);
    $found = [];
    foreach ($records as $record) {
        $stored = get_file_storage()->get_file_instance($record);
        $handle = $stored->get_content_file_handle();
        $hash = hash_init('sha1');
        hash_update_stream($hash, $handle);
        fclose($handle);
        $found[] = [
            "{$record->component}/{$record->filearea}{$record->filepath}{$record->filename}", hash_final($hash),
            (string) $record->license, (string) $record->author,
        ];
    }
    sort($found);
    return $found;
}

/** Links in a page's text to files of its own that are not there. */
function broken_images(int $courseid): array {
    global $DB;
    $broken = [];
    foreach (get_fast_modinfo($courseid)->get_instances_of('page') as $cm) {
        $page = $DB->get_record('page', ['id' => $cm->instance], '*', MUST_EXIST);
        preg_match_all('~@@PLUGINFILE@@(/[^"\'\s<]+)~', $page->content, $links);
        foreach ($links[1] as $link) {
            $path = rawurldecode($link);
            $there = get_file_storage()->file_exists($cm->context->id, 'mod_page', 'content', 0,
                rtrim(dirname($path), '/') . '/', basename($path));
            if (!$there) {
                $broken[] = $page->name . ': ' . $path;
            }
        }
    }
    return $broken;
}
