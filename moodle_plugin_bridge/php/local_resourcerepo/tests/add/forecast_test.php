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
use local_resourcerepo\fake_catalogue;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../fixtures/fake_catalogue.php');

/**
 * Whether it would be restored here.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_resourcerepo\add\forecast
 * @covers     \local_resourcerepo\add\site
 */
final class forecast_test extends \advanced_testcase {
    /**
     * A repository.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        fake_catalogue::configure();
    }

    /**
     * Answers that nobody asked for are not for the next test.
     */
    protected function tearDown(): void {
        fake_catalogue::forget_answers();
        parent::tearDown();
    }

    /**
     * Of a backup that uses these.
     *
     * @param array $inspection
     * @return forecast
     */
    private function ask(array $inspection = []): forecast {
        $resource = json_decode(json_encode(fake_catalogue::resource()));
        $inspection = json_decode(json_encode($inspection + ['kind' => 'course', 'plugins' => [], 'components' => null]));
        return forecast::ask(client::for_everybody(), $resource, $resource->versions[0], $inspection);
    }

    /**
     * What the repository says, in this site's language, with its reasons.
     */
    public function test_verdicts(): void {
        foreach (array_keys(forecast::STATES) as $verdict) {
            fake_catalogue::answers(['verdict' => $verdict, 'sentence' => '', 'errors' => [], 'warnings' => [], 'notes' => [],
                'losses' => [['code' => 'missing-module', 'message' => 'Activities <b>hvp</b> would be missing.']]]);
            $forecast = $this->ask();
            $this->assertSame($verdict, $forecast->verdict);
            $this->assertSame(get_string("forecast_{$verdict}", 'local_resourcerepo', site::release()), $forecast->sentence);
            $this->assertSame(['Activities hvp would be missing.'], $forecast->details);
            $this->assertSame(forecast::STATES[$verdict], $forecast->state());
        }
    }

    /**
     * When it cannot be asked, that is said, and adding goes on.
     */
    public function test_down(): void {
        fake_catalogue::take_down();
        $forecast = $this->ask();
        $this->assertSame(['unknown', 'info'], [$forecast->verdict, $forecast->state()]);
        $this->assertStringContainsString(site::release(), $forecast->sentence);
    }

    /**
     * What is switched off here is said, too.
     */
    public function test_switched_off(): void {
        global $DB;
        $DB->set_field('modules', 'visible', 0, ['name' => 'lesson']);
        $guess = ['code' => forecast::GUESS, 'message' => 'A new site has mod_bigbluebuttonbn switched off.'];
        fake_catalogue::answers(['verdict' => 'complete', 'notes' => [$guess]]);
        $forecast = $this->ask(['activities_by_module' => ['lesson' => 1, 'page' => 2]]);
        $this->assertSame([get_string('forecast_switchedoff', 'local_resourcerepo', 'Lesson')], $forecast->details);
    }

    /**
     * This site is described by its release and by what the backup asks for: not with all that is installed.
     */
    public function test_site(): void {
        $inspection = (object) [
            'plugins' => [(object) ['component' => 'local_resourcerepo'], (object) ['component' => 'mod_hvp']],
            'components' => (object) ['mod_quiz' => 1, 'mod_nonsense' => 1],
        ];
        $site = site::described($inspection);
        $this->assertMatchesRegularExpression('/^\d+\.\d+(\.\d+)?\+?(dev|beta|rc\d+)?$/', $site['moodle']);
        $this->assertSame('local_resourcerepo:' . get_config('local_resourcerepo', 'version'), $site['plugins']);
        $this->assertSame('', $site['without']);
        $this->assertSame('', site::described((object) [])['plugins']);
    }
}
