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

use local_resourcerepo\licences;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once($CFG->dirroot . '/course/modlib.php');
require_once($CFG->dirroot . '/repository/lib.php');
require_once($CFG->libdir . '/resourcelib.php');

/**
 * Makes an activity "File" of a file that is no backup, with its author and licence.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class file_resource {
    /** @var string[] What the site prefers for such activities: their form would fill it in. */
    const SETTINGS = ['display', 'printintro', 'showsize', 'showtype', 'showdate', 'popupwidth', 'popupheight', 'filterfiles'];

    /**
     * Make it, as the current user.
     *
     * @param string $path of the file
     * @param \stdClass $resource of the repository
     * @param string $filename
     * @param \stdClass $course
     * @param int $sectionnumber
     * @return int the course module's id
     */
    public static function make(
        string $path,
        \stdClass $resource,
        string $filename,
        \stdClass $course,
        int $sectionnumber
    ): int {
        [$module, , , , $data] = prepare_new_moduleinfo_data($course, 'resource', $sectionnumber);
        $defaults = get_config('resource');
        foreach (self::SETTINGS as $name) {
            $data->$name = $defaults->$name ?? 0;
        }
        $data->module = $module->id;
        $data->name = \core_text::substr($resource->title, 0, 255);
        $data->introeditor['text'] = clean_text((string) ($resource->summary ?? ''), FORMAT_HTML);
        $data->introeditor['format'] = FORMAT_HTML;
        $data->cmidnumber = '';
        $data->files = self::draft($path, $resource, $filename);
        return (int) add_moduleinfo($data, $course)->coursemodule;
    }

    /**
     * The file as a draft of the user's, from where Moodle takes it.
     *
     * @param string $path
     * @param \stdClass $resource
     * @param string $filename
     * @return int the draft's item id
     */
    private static function draft(string $path, \stdClass $resource, string $filename): int {
        global $USER;
        $itemid = file_get_unused_draft_itemid();
        $filename = clean_param($filename, PARAM_FILE);
        get_file_storage()->create_file_from_pathname([
            'contextid' => \context_user::instance($USER->id)->id,
            'component' => 'user',
            'filearea' => 'draft',
            'itemid' => $itemid,
            'filepath' => '/',
            'filename' => $filename === '' ? 'file' : $filename,
            'userid' => $USER->id,
            'author' => \core_text::substr(implode(', ', array_column($resource->authors ?? [], 'name')), 0, 255),
            'license' => licences::shortname($resource->licence ?? null),
            'source' => \repository::build_source_field($resource->url ?? ''),
        ], $path);
        return $itemid;
    }
}
