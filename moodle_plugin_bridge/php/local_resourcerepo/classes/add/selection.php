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

use local_resourcerepo\api\failure;

/**
 * What of a version is to be added: all of it, to the course or as a new one, or some of its sections and activities.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class selection {
    /** @var string All of it, to the course. */
    const WHOLE = 'whole';

    /** @var string All of it, as a new course. */
    const NEWCOURSE = 'newcourse';

    /** @var string Some sections and activities, to the course. */
    const PARTS = 'parts';

    /** @var string It is no backup: as a file, to the course. */
    const FILE = 'file';

    /** @var int Parts that may be chosen at once: each is a file of its own. */
    const MOST = 50;

    /**
     * Those of the parts chosen that there are, without what is in a section that is chosen itself.
     *
     * @param \stdClass $inspection of the version
     * @param int[] $sections ids
     * @param int[] $activities ids
     * @return array[] each with sort (section or activity) and id, in the order of the course page
     * @throws failure when nothing is left, or too much
     */
    public static function parts(\stdClass $inspection, array $sections, array $activities): array {
        $parts = self::collected($inspection->outline ?? [], $sections, $activities);
        if (!$parts) {
            throw new failure('nothingchosen');
        }
        if (count($parts) > self::MOST) {
            throw new failure('toomanychosen', (object) ['most' => self::MOST]);
        }
        return $parts;
    }

    /**
     * The parts chosen, in some sections.
     *
     * @param \stdClass[] $outline
     * @param int[] $sections
     * @param int[] $activities
     * @return array[]
     */
    private static function collected(array $outline, array $sections, array $activities): array {
        $parts = [];
        foreach ($outline as $section) {
            if ($section->id !== null && in_array((int) $section->id, $sections, true)) {
                $parts[] = ['sort' => 'section', 'id' => (int) $section->id];
                continue;
            }
            foreach ($section->activities as $activity) {
                if (in_array((int) $activity->id, $activities, true)) {
                    $parts[] = ['sort' => 'activity', 'id' => (int) $activity->id];
                } else {
                    $parts = array_merge($parts, self::collected($activity->sections ?? [], $sections, $activities));
                }
            }
        }
        return $parts;
    }
}
