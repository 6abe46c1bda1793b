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

/**
 * Whether a backup would be restored on this site: one sentence, and what there is to know.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class forecast {
    /** @var string[] Verdicts of the repository, and how a notification looks that tells them. */
    const STATES = ['complete' => 'success', 'warned' => 'warning', 'partial' => 'warning', 'refused' => 'error'];

    /** @var string Code of a note that this site knows better: whether a module is switched off here. */
    const GUESS = 'may-be-disabled';

    /** @var string One of the keys of STATES, or unknown. */
    public $verdict;

    /** @var string In one sentence, plain text. */
    public $sentence;

    /** @var string[] What there is to know, plain text. */
    public $details = [];

    /**
     * Ask the repository.
     *
     * @param client $client
     * @param \stdClass $resource
     * @param \stdClass $version
     * @param \stdClass $inspection of this version
     * @return self
     */
    public static function ask(client $client, \stdClass $resource, \stdClass $version, \stdClass $inspection): self {
        $forecast = new self();
        try {
            $answer = $client->compatibility($resource->id, (int) $version->number, site::described($inspection));
            $forecast->verdict = isset(self::STATES[$answer->verdict ?? '']) ? $answer->verdict : 'unknown';
            $notes = array_filter($answer->notes ?? [], function(\stdClass $note): bool {
                return $note->code !== self::GUESS;
            });
            $remarks = array_merge($answer->errors ?? [], $answer->warnings ?? [], $answer->losses ?? [], $notes);
            $forecast->details = array_map(function(\stdClass $remark): string {
                return clean_param($remark->message, PARAM_NOTAGS);
            }, $remarks);
        } catch (failure $failure) {
            $forecast->verdict = 'unknown'; // Moodle itself says it before it restores.
        }
        foreach (site::switched_off($inspection) as $name) {
            $forecast->details[] = get_string('forecast_switchedoff', 'local_resourcerepo', $name);
        }
        $release = site::release();
        $verdict = $forecast->verdict;
        $forecast->sentence = get_string("forecast_{$verdict}", 'local_resourcerepo', $release);
        return $forecast;
    }

    /**
     * How a notification looks that tells it.
     *
     * @return string success, warning, error or info
     */
    public function state(): string {
        return self::STATES[$this->verdict] ?? 'info';
    }
}
