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

use local_resourcerepo\api\client;
use local_resourcerepo\api\failure;
use local_resourcerepo\job\progress;

/**
 * Adds something to a course: downloads it, has Moodle check and restore it, and takes everything away again if that fails.
 *
 * The request has resource (id), version (number), filename, kind (course, section, activity or file), how (see selection),
 * parts (see selection::parts()), section (id of the section for single activities and files; 0 for the first one) and
 * category (for a new course).
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class work extends \local_resourcerepo\job\work {
    /** @var int What a backup takes on the disk at the most, packed and unpacked, in times of its size. */
    const ROOM = 3;

    /** @var ledger|null */
    private $ledger = null;

    /** @var string[] Downloaded files. */
    private $downloads = [];

    /** @var archive[] */
    private $archives = [];

    /**
     * Add it.
     *
     * @return void
     * @throws failure
     */
    public function run(): void {
        $request = $this->job->request();
        $course = $this->course();
        $this->require_allowed($request, $course);
        $client = $this->client(false);
        $resource = $client->resource($request->resource);
        $version = self::version($resource, (int) $request->version);
        try {
            $this->downloads = $this->download($client, $resource, $version, $request, $course);
            $this->ledger()->open();
            if ($request->how === selection::FILE) {
                $this->add_file($resource, $version, $request, $course);
            } else if (!$this->restore($resource, $request, $course)) {
                $this->keep_downloads();
                $this->undo(); // Until the user says to go on.
                return;
            }
            $this->ledger()->close();
        } finally {
            $this->clear();
        }
    }

    /**
     * Take away what was made.
     *
     * @return void
     */
    public function undo(): void {
        $this->clear();
        $this->ledger()->undo();
    }

    /**
     * To what was added.
     *
     * @return array[]
     */
    public function ways_on(): array {
        global $DB;
        $result = $this->job->result();
        $ways = [];
        if (!empty($result->url)) {
            $ways[] = ['url' => $result->url, 'label' => get_string('way_added', 'local_resourcerepo')];
        }
        if ($DB->record_exists('course', ['id' => $this->job->get('courseid')])) {
            $course = get_course($this->job->get('courseid'));
            $name = format_string($course->fullname, true, ['escape' => false]);
            $ways[] = [
                'url' => course_get_url($course)->out(false),
                'label' => get_string('way_back', 'local_resourcerepo', $name),
            ];
        }
        return $ways;
    }

    /**
     * The course it goes to.
     *
     * @return \stdClass
     */
    private function course(): \stdClass {
        global $DB;
        $course = $DB->get_record('course', ['id' => $this->job->get('courseid')]);
        if (!$course) {
            throw new failure('coursegone');
        }
        return $course;
    }

    /**
     * Refuse who may not do it, or not any more.
     *
     * @param \stdClass $request
     * @param \stdClass $course
     * @return void
     */
    private function require_allowed(\stdClass $request, \stdClass $course): void {
        $context = \context_course::instance($course->id);
        if ($request->how === selection::NEWCOURSE) {
            if (!permission::any($context)) {
                throw new failure('addnotallowed');
            }
            permission::require_new_course((int) $request->category);
            return;
        }
        $kinds = $request->how === selection::PARTS ? array_unique(array_column($request->parts, 'sort')) : [$request->kind];
        foreach ($kinds as $kind) {
            permission::require_allowed($kind, $context);
        }
    }

    /**
     * The version asked for.
     *
     * @param \stdClass $resource
     * @param int $number
     * @return \stdClass
     */
    private static function version(\stdClass $resource, int $number): \stdClass {
        foreach ($resource->versions as $version) {
            if ((int) $version->number === $number) {
                return $version;
            }
        }
        throw new failure('notfound', null, "version {$number}");
    }

    /**
     * Get all files, or take those that are kept since the user was asked.
     *
     * @param client $client
     * @param \stdClass $resource
     * @param \stdClass $version
     * @param \stdClass $request
     * @param \stdClass $course
     * @return string[] paths
     */
    private function download(
        client $client,
        \stdClass $resource,
        \stdClass $version,
        \stdClass $request,
        \stdClass $course
    ): array {
        $folder = make_request_directory();
        $parts = $request->how === selection::PARTS ? $request->parts : [(object) ['sort' => 'all', 'id' => 0]];
        if ($request->how !== selection::PARTS) {
            $this->require_room((int) ($version->size ?? 0));
        }
        $paths = [];
        foreach (array_values($parts) as $at => $part) {
            $path = "{$folder}/{$at}.mbz";
            $paths[] = $path;
            if ($kept = $this->kept_file("{$at}.mbz")) {
                $kept->copy_content_to($path);
                continue;
            }
            $report = function(int $done, ?int $size) use ($at, $parts): void {
                $share = $size ? min(1, $done / $size) : 0;
                $this->job->report('download', (int) floor(100 * ($at + $share) / count($parts)));
            };
            $this->job->report('download', (int) floor(100 * $at / count($parts)));
            switch ($part->sort) {
                case 'section':
                    $client->download_section($resource->id, (int) $version->number, (int) $part->id, $path, 0, $report);
                    break;
                case 'activity':
                    $client->download_activity($resource->id, (int) $version->number, (int) $part->id, $path, 0, $report);
                    break;
                default:
                    $client->download($resource, $version, $path, self::limit($request, $course), $report);
            }
            $this->scan($path, $version->file_name);
        }
        return $paths;
    }

    /**
     * How large a file may be. Backups are not kept, and Moodle's limit is one of what is uploaded: it does not count for them.
     *
     * @param \stdClass $request
     * @param \stdClass $course
     * @return int bytes, 0 or less for no limit
     */
    private static function limit(\stdClass $request, \stdClass $course): int {
        global $CFG;
        if ($request->how !== selection::FILE) {
            return 0;
        }
        return (int) get_user_max_upload_file_size(\context_course::instance($course->id), $CFG->maxbytes, $course->maxbytes);
    }

    /**
     * Refuse what has no room on the disk.
     *
     * @param int $size bytes of the packed file
     * @return void
     */
    private function require_room(int $size): void {
        global $CFG;
        $free = @disk_free_space($CFG->tempdir);
        if ($free !== false && $free < self::ROOM * $size) {
            throw new failure('nospace', null, "{$free} bytes free for {$size}");
        }
    }

    /**
     * Have the site's virus scanners look at it.
     *
     * @param string $path
     * @param string $filename
     * @return void
     */
    private function scan(string $path, string $filename): void {
        try {
            \core\antivirus\manager::scan_file($path, $filename, true);
        } catch (\core\antivirus\scanner_exception $exception) {
            throw new failure('infected', null, $exception->getMessage());
        }
    }

    /**
     * Add a file that is no backup.
     *
     * @param \stdClass $resource
     * @param \stdClass $version
     * @param \stdClass $request
     * @param \stdClass $course
     * @return void
     */
    private function add_file(\stdClass $resource, \stdClass $version, \stdClass $request, \stdClass $course): void {
        $this->job->report('place', 0);
        $number = $this->section_number($course, (int) $request->section);
        try {
            $cmid = file_resource::make($this->downloads[0], $resource, $version->file_name, $course, $number);
        } catch (failure $failure) {
            throw $failure;
        } catch (\moodle_exception $exception) {
            throw new failure('restorefailed', null, "{$exception->getMessage()} {$exception->debuginfo}");
        }
        $this->ledger()->note_activity($cmid);
        $url = new \moodle_url('/mod/resource/view.php', ['id' => $cmid]);
        $this->job->reached(['url' => $url->out(false)]);
        $this->job->finish(get_string('added_file', 'local_resourcerepo'));
    }

    /**
     * Restore the downloaded backups.
     *
     * @param \stdClass $resource
     * @param \stdClass $request
     * @param \stdClass $course
     * @return bool false when the user has to be asked before
     */
    private function restore(\stdClass $resource, \stdClass $request, \stdClass $course): bool {
        $isnew = $request->how === selection::NEWCOURSE;
        $courseid = $isnew ? $this->new_course($resource, (int) $request->category) : (int) $course->id;
        $this->unpack($courseid);
        if (!$isnew) {
            $this->place($course, $request);
        }
        $warnings = [];
        foreach ($this->archives as $archive) {
            $warnings = array_merge($warnings, $this->check($archive, $courseid, $isnew));
        }
        if ($warnings && empty($this->job->result()->confirmed)) {
            $this->job->ask(array_values(array_unique($warnings)));
            return false;
        }
        foreach ($this->archives as $at => $archive) {
            $this->restore_one($archive, $courseid, $isnew, $at);
        }
        if ($isnew) {
            $this->let_in($courseid);
        }
        rebuild_course_cache($courseid, true);
        $this->job->reached(['url' => $this->added_url($courseid, $isnew)]);
        $this->job->finish($this->told($isnew));
        return true;
    }

    /**
     * Unpack what was downloaded.
     *
     * @param int $courseid
     * @return void
     */
    private function unpack(int $courseid): void {
        foreach ($this->downloads as $path) {
            $progress = new progress($this->job, 'unpack');
            $progress->start_progress('unpack');
            $this->archives[] = archive::unpack($path, $courseid, (int) $this->job->get('userid'));
            $progress->end_progress();
        }
    }

    /**
     * Say where in the course things go: sections after the last one, activities to the section that was chosen.
     *
     * @param \stdClass $course
     * @param \stdClass $request
     * @return void
     */
    private function place(\stdClass $course, \stdClass $request): void {
        global $DB;
        $format = course_get_format($course);
        $next = 1 + (int) $DB->get_field_sql('SELECT MAX(section) FROM {course_sections} WHERE course = ?', [$course->id]);
        foreach ($this->archives as $archive) {
            $kind = $archive->kind();
            permission::require_allowed($kind, \context_course::instance($course->id));
            if ($kind === 'activity') {
                $archive->place_activity($this->section_number($course, (int) $request->section));
            } else if ($kind === 'section') {
                if (!$format->uses_sections()) {
                    throw new failure('nosections');
                }
                $next += $archive->place_sections($next);
                if ($next - 1 > $format->get_max_sections()) {
                    throw new failure('toomanysections', (object) ['most' => $format->get_max_sections()]);
                }
            }
        }
    }

    /**
     * Have Moodle check a backup.
     *
     * @param archive $archive
     * @param int $courseid
     * @param bool $isnew
     * @return string[] warnings
     */
    private function check(archive $archive, int $courseid, bool $isnew): array {
        $this->job->report('check', 0);
        $restorer = new restorer($archive, $courseid, $isnew, (int) $this->job->get('userid'));
        try {
            $results = $restorer->precheck();
        } finally {
            $restorer->close();
        }
        if ($results['errors']) {
            throw new failure('precheck', (object) ['errors' => implode(' ', $results['errors'])]);
        }
        return $results['warnings'];
    }

    /**
     * Restore one backup.
     *
     * @param archive $archive
     * @param int $courseid
     * @param bool $isnew
     * @param int $at its place among them
     * @return void
     */
    private function restore_one(archive $archive, int $courseid, bool $isnew, int $at): void {
        $this->job->report('restore', (int) floor(100 * $at / count($this->archives)));
        $restorer = null;
        $watch = function() use (&$restorer): void {
            if ($restorer !== null) {
                $restorer->note($this->ledger());
            }
        };
        $progress = new progress($this->job, 'restore', $watch);
        $restorer = new restorer($archive, $courseid, $isnew, (int) $this->job->get('userid'), $progress);
        try {
            $restorer->precheck();
            $restorer->restore($this->ledger());
        } finally {
            $restorer->close();
        }
    }

    /**
     * Make the course that all of it goes into.
     *
     * @param \stdClass $resource
     * @param int $categoryid
     * @return int
     */
    private function new_course(\stdClass $resource, int $categoryid): int {
        global $CFG;
        require_once($CFG->dirroot . '/backup/util/includes/restore_includes.php');
        $title = shorten_text(trim(clean_param($resource->title, PARAM_TEXT)), 200) ?: get_string('course');
        [$fullname, $shortname] = \restore_dbops::calculate_course_names(0, $title, shorten_text($title, 90));
        $courseid = (int) \restore_dbops::create_new_course($fullname, $shortname, $categoryid);
        $this->ledger()->note_course($courseid);
        return $courseid;
    }

    /**
     * Let the user into the course they made, as Moodle does where somebody makes one, and learners not yet.
     *
     * @param int $courseid
     * @return void
     */
    private function let_in(int $courseid): void {
        global $CFG, $DB, $USER;
        require_once($CFG->dirroot . '/course/lib.php');
        $context = \context_course::instance($courseid);
        course_change_visibility($courseid, false);
        if (!$DB->record_exists('enrol', ['courseid' => $courseid, 'enrol' => 'manual']) && enrol_is_enabled('manual')) {
            enrol_get_plugin('manual')->add_default_instance(get_course($courseid));
        }
        if (!empty($CFG->creatornewroleid) && !is_viewing($context) && !is_enrolled($context)) {
            enrol_try_internal_enrol($courseid, $USER->id, $CFG->creatornewroleid);
        }
    }

    /**
     * Where to look at what was added.
     *
     * @param int $courseid
     * @param bool $isnew
     * @return string
     */
    private function added_url(int $courseid, bool $isnew): string {
        global $DB;
        $course = get_course($courseid);
        $sections = $this->ledger()->sections();
        $activities = $this->ledger()->activities();
        if (!$isnew && !$sections && count($activities) === 1) {
            $cm = get_fast_modinfo($course)->get_cm($activities[0]);
            if ($cm->url) {
                return $cm->url->out(false);
            }
        }
        $number = !$isnew && $sections ? $DB->get_field('course_sections', 'section', ['id' => $sections[0]]) : false;
        $url = course_get_url($course);
        if ($number) {
            $url->set_anchor("section-{$number}");
        }
        return $url->out(false);
    }

    /**
     * What was added.
     *
     * @param bool $isnew
     * @return string
     */
    private function told(bool $isnew): string {
        if ($isnew) {
            return get_string('added_newcourse', 'local_resourcerepo');
        }
        $counts = (object) [
            'activities' => count($this->ledger()->activities()),
            'sections' => count($this->ledger()->sections()),
        ];
        $string = $counts->activities || $counts->sections ? 'added_parts' : 'added_nothing';
        return get_string($string, 'local_resourcerepo', $counts);
    }

    /**
     * The number of the section that activities go to.
     *
     * @param \stdClass $course
     * @param int $sectionid
     * @return int
     */
    private function section_number(\stdClass $course, int $sectionid): int {
        global $DB;
        return (int) $DB->get_field('course_sections', 'section', ['id' => $sectionid, 'course' => $course->id]);
    }

    /**
     * Keep what was downloaded until the user has said whether to go on.
     *
     * @return void
     */
    private function keep_downloads(): void {
        foreach ($this->downloads as $at => $path) {
            if ($this->kept_file("{$at}.mbz") === null) {
                get_file_storage()->create_file_from_pathname($this->file_record("{$at}.mbz"), $path);
            }
        }
    }

    /**
     * Remove what lies on the disk.
     *
     * @return void
     */
    private function clear(): void {
        foreach ($this->archives as $archive) {
            $archive->remove();
        }
        foreach ($this->downloads as $path) {
            if (is_file($path)) {
                unlink($path);
            }
        }
        $this->archives = [];
        $this->downloads = [];
    }

    /**
     * What was made.
     *
     * @return ledger
     */
    private function ledger(): ledger {
        $this->ledger = $this->ledger ?? new ledger($this->job);
        return $this->ledger;
    }
}
