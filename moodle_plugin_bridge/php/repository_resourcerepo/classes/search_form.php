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

namespace repository_resourcerepo;

use local_resourcerepo\api\failure;
use local_resourcerepo\catalogue;

/**
 * What is searched for: words, and a choice of type, level and licence.
 *
 * @package    repository_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class search_form {
    /** @var string[] What can be chosen besides words. */
    const FILTERS = ['type', 'level', 'licence'];

    /** @var string Where the last search is kept. */
    const LAST = 'last';

    /**
     * The search that was sent, or the last one when the next page of it is asked for.
     *
     * @param string|null $words as typed, null for the last search
     * @return array as for client::search()
     */
    public static function query(?string $words): array {
        $pages = \cache::make('repository_resourcerepo', 'pages');
        if ($words === null) {
            return $pages->get(self::LAST) ?: [];
        }
        // The picker cleans what is typed as HTML.
        $query = ['q' => \core_text::substr(trim(html_entity_decode($words, ENT_QUOTES)), 0, 500)];
        foreach (self::FILTERS as $name) {
            $query[$name] = optional_param("resourcerepo_{$name}", '', PARAM_ALPHANUMEXT);
            if ($name === 'licence') {
                $query[$name] = optional_param('resourcerepo_licence', '', PARAM_RAW_TRIMMED);
            }
        }
        $pages->set(self::LAST, $query);
        return $query;
    }

    /**
     * The form's fields.
     *
     * @return string HTML
     */
    public static function html(): string {
        global $OUTPUT;
        $filters = [];
        try {
            foreach (self::FILTERS as $name) {
                $filters[] = self::filter($name);
            }
        } catch (failure $failure) {
            $filters = []; // Words alone can be searched for when the repository is back.
        }
        return $OUTPUT->render_from_template('repository_resourcerepo/search_form', ['filters' => $filters]);
    }

    /**
     * One choice, of what there is.
     *
     * @param string $name
     * @return array for the template
     */
    private static function filter(string $name): array {
        $options = [];
        foreach (catalogue::counts($name) as $code => $count) {
            $options[] = ['value' => (string) $code, 'label' => catalogue::label($name, (string) $code)];
        }
        \core_collator::asort_array_of_arrays_by_key($options, $name === 'level' ? 'value' : 'label');
        return [
            'name' => "resourcerepo_{$name}",
            'label' => get_string("filter_{$name}", 'repository_resourcerepo'),
            'options' => array_values($options),
        ];
    }
}
