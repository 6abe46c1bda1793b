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

use backup_general_helper;
use local_resourcerepo\api\failure;
use restore_controller;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once($CFG->dirroot . '/backup/util/includes/restore_includes.php');

/**
 * An unpacked backup in Moodle's folder for them.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class archive {
    /** @var string Name of the folder, as Moodle's restore takes it. */
    public $name;

    /** @var string The folder. */
    private $folder;

    /**
     * Constructor.
     *
     * @param string $name
     * @param string $folder
     */
    private function __construct(string $name, string $folder) {
        $this->name = $name;
        $this->folder = $folder;
    }

    /**
     * Unpack a backup.
     *
     * @param string $path of the file
     * @param int $courseid
     * @param int $userid
     * @param \file_progress|null $progress
     * @return self
     * @throws failure when it cannot be unpacked; nothing is left then
     */
    public static function unpack(string $path, int $courseid, int $userid, ?\file_progress $progress = null): self {
        $name = restore_controller::get_tempdir_name($courseid, $userid);
        $archive = new self($name, make_backup_temp_directory($name));
        try {
            if (!in_array(file_get_contents($path, false, null, 0, 2), ["\x1f\x8b", 'PK'], true)) {
                throw new failure('brokenarchive', null, 'neither a tar.gz nor a zip'); // Moodle knows them by this, too.
            }
            $packer = get_file_packer('application/vnd.moodle.backup');
            if (!$packer->extract_to_pathname($path, $archive->folder, null, $progress, true)) {
                throw new failure('brokenarchive', null, 'not all files could be unpacked');
            }
            $format = backup_general_helper::detect_backup_format($name);
            if ($format === \backup::FORMAT_UNKNOWN) {
                throw new failure('brokenarchive', null, 'no backup inside');
            }
        } catch (\Throwable $thrown) {
            $archive->remove();
            throw $thrown instanceof failure ? $thrown : new failure('brokenarchive', null, $thrown->getMessage());
        }
        return $archive;
    }

    /**
     * What kind of backup it is.
     *
     * @return string course, section or activity
     */
    public function kind(): string {
        if (backup_general_helper::detect_backup_format($this->name) !== \backup::FORMAT_MOODLE) {
            return 'course'; // Of Moodle 1.9, or a Common Cartridge: those are always courses.
        }
        $manifest = simplexml_load_file("{$this->folder}/moodle_backup.xml", \SimpleXMLElement::class, LIBXML_NONET);
        $kind = $manifest ? (string) $manifest->information->details->detail->type : '';
        return in_array($kind, ['section', 'activity'], true) ? $kind : 'course';
    }

    /**
     * Have a single activity restored to a section of the course, wherever it was before.
     *
     * Moodle asks for the section's number where the section itself is not in the backup
     * (restore_module_structure_step::process_module()).
     *
     * @param int $number of the section in the course
     * @return void
     */
    public function place_activity(int $number): void {
        foreach (glob("{$this->folder}/activities/*/module.xml") as $path) {
            $this->replace($path, 'sectionnumber', $number);
        }
    }

    /**
     * Have sections restored as new ones. Moodle would put what is in them into the sections of the course that have the same
     * numbers (restore_section_structure_step::process_section()).
     *
     * @param int $number of the first one in the course
     * @return int how many sections there are
     */
    public function place_sections(int $number): int {
        $paths = [];
        foreach (glob("{$this->folder}/sections/*/section.xml") as $path) {
            $section = simplexml_load_file($path, \SimpleXMLElement::class, LIBXML_NONET);
            if ($section) {
                $paths[$path] = (int) $section->number;
            }
        }
        asort($paths);
        foreach (array_keys($paths) as $at => $path) {
            $this->replace($path, 'number', $number + $at);
        }
        return count($paths);
    }

    /**
     * Remove it from the disk.
     *
     * @return void
     */
    public function remove(): void {
        fulldelete($this->folder);
    }

    /**
     * Write a number into the first element of that name.
     *
     * @param string $path
     * @param string $element
     * @param int $number
     * @return void
     */
    private function replace(string $path, string $element, int $number): void {
        $xml = file_get_contents($path);
        file_put_contents($path, preg_replace("~<{$element}>\d*</{$element}>~", "<{$element}>{$number}</{$element}>", $xml, 1));
    }
}
