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
 * What of a version is to be added.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_resourcerepo\add\selection
 */
final class selection_test extends \basic_testcase {
    /**
     * An outline with a subsection.
     *
     * @return \stdClass
     */
    private function inspection(): \stdClass {
        return json_decode('{"outline": [
            {"id": 1, "activities": [{"id": 11, "sections": []}, {"id": 12, "sections": [
                {"id": 5, "activities": [{"id": 51, "sections": []}]}
            ]}]},
            {"id": null, "activities": [{"id": 21, "sections": []}]}
        ]}');
    }

    /**
     * Parts come in the order of the course; what is in a chosen part is not added once more, nor is what is not there.
     */
    public function test_parts(): void {
        $section = ['sort' => 'section', 'id' => 1];
        $activity = function(int $id): array {
            return ['sort' => 'activity', 'id' => $id];
        };
        $this->assertSame([$section, $activity(21)], selection::parts($this->inspection(), [1], [21, 11, 51]));
        $this->assertSame([$activity(11), $activity(51)], selection::parts($this->inspection(), [99], [51, 11, 98]));
        $this->assertSame([$activity(12)], selection::parts($this->inspection(), [], [51, 12]));
    }

    /**
     * Nothing, or what is not there, is refused.
     */
    public function test_nothing(): void {
        foreach ([[[], []], [[2], [3]]] as [$sections, $activities]) {
            try {
                selection::parts($this->inspection(), $sections, $activities);
                $this->fail('It was taken.');
            } catch (failure $failure) {
                $this->assertSame('nothingchosen', $failure->reason);
            }
        }
    }

    /**
     * Too much is refused, too: each part is a file of its own.
     */
    public function test_too_much(): void {
        $activities = array_map(function(int $id): array {
            return ['id' => $id, 'sections' => []];
        }, range(1, selection::MOST + 1));
        $inspection = json_decode(json_encode(['outline' => [['id' => 1, 'activities' => $activities]]]));
        $this->assertCount(selection::MOST, selection::parts($inspection, [], range(1, selection::MOST)));
        try {
            selection::parts($inspection, [], range(1, selection::MOST + 1));
            $this->fail('It was taken.');
        } catch (failure $failure) {
            $this->assertSame('toomanychosen', $failure->reason);
        }
    }
}
