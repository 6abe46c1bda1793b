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

use local_resourcerepo\api\client;

/**
 * How jobs of one kind are done.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
abstract class work {
    /** @var job */
    protected $job;

    /**
     * Constructor.
     *
     * @param job $job
     */
    public function __construct(job $job) {
        $this->job = $job;
    }

    /**
     * The work that a job is.
     *
     * @param job $job
     * @return self
     */
    public static function of(job $job): self {
        $class = $job->get('kind') === job::SHARE ? \local_resourcerepo\share\work::class : \local_resourcerepo\add\work::class;
        return new $class($job);
    }

    /**
     * Do it, as the user who asked for it. At the end the job is finished, or asks the user.
     *
     * @return void
     * @throws \local_resourcerepo\api\failure
     */
    abstract public function run(): void;

    /**
     * Take away what an attempt left that failed or died half-way, such as half a restored course.
     *
     * @return void
     */
    abstract public function undo(): void;

    /**
     * Where the user can go to from a job that is done or failed: address and label.
     *
     * @return array[] each with url (string) and label (string)
     */
    abstract public function ways_on(): array;

    /**
     * The repository, for the current user.
     *
     * @param bool $needsaccount whether their account there is needed, or only taken where it is connected
     * @return client
     * @throws \local_resourcerepo\api\failure
     */
    protected function client(bool $needsaccount): client {
        return $needsaccount ? client::for_user() : client::for_whoever();
    }

    /**
     * Throw away the files that are kept between attempts.
     *
     * @return void
     */
    public function tidy(): void {
        if ($context = \context_user::instance($this->job->get('userid'), IGNORE_MISSING)) {
            get_file_storage()->delete_area_files($context->id, 'local_resourcerepo', 'job', $this->job->get('id'));
        }
    }

    /**
     * A file that is kept between attempts. Nobody is served it.
     *
     * @param string $filename
     * @return \stdClass for the functions of \file_storage
     */
    protected function file_record(string $filename): \stdClass {
        return (object) [
            'contextid' => \context_user::instance($this->job->get('userid'))->id,
            'component' => 'local_resourcerepo',
            'filearea' => 'job',
            'itemid' => $this->job->get('id'),
            'filepath' => '/',
            'filename' => $filename,
            'userid' => $this->job->get('userid'),
        ];
    }

    /**
     * A file that was kept by an attempt before.
     *
     * @param string $filename
     * @return \stored_file|null
     */
    protected function kept_file(string $filename): ?\stored_file {
        $at = $this->file_record($filename);
        $file = get_file_storage()->get_file(
            $at->contextid,
            $at->component,
            $at->filearea,
            $at->itemid,
            $at->filepath,
            $filename
        );
        return $file ?: null;
    }
}
