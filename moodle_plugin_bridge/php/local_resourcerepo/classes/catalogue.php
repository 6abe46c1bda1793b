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

namespace local_resourcerepo;

use local_resourcerepo\api\client;

/**
 * What everybody may read at the repository, kept for a little while so that browsing does not ask for it again and again.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class catalogue {
    /** @var string[] The code list of what is searched by. */
    const VOCABULARY_OF = [
        'subject' => 'isced-f-2013',
        'level' => 'isced-2011',
        'type' => 'hcrt',
        'licence' => 'licences',
    ];

    /**
     * A page of a search.
     *
     * @param array $query as for client::search()
     * @param int $limit at the most, 100 or fewer
     * @param string|null $cursor next_cursor of the page before
     * @return \stdClass as of client::search()
     * @throws api\failure
     */
    public static function search(array $query, int $limit = 20, ?string $cursor = null): \stdClass {
        return self::kept('listings', [$query, $limit, $cursor], function() use ($query, $limit, $cursor): \stdClass {
            return client::for_everybody()->search($query, $limit, $cursor);
        });
    }

    /**
     * How many public resources there are with each value.
     *
     * @param string $facet subject, level, type, licence and so on
     * @param array $query what to count, as for client::search(); empty for all
     * @return int[] by value, the most frequent first
     * @throws api\failure
     */
    public static function counts(string $facet, array $query = []): array {
        $counts = self::search(['facet' => $facet] + $query, 1)->facets->$facet ?? [];
        return array_column($counts, 'count', 'value');
    }

    /**
     * The concepts of a code list.
     *
     * @param string $name such as isced-f-2013
     * @return \stdClass[] by code, with code, broader, labels, exact_match, close_match
     * @throws api\failure
     */
    public static function concepts(string $name): array {
        $vocabulary = self::kept('vocabularies', [$name], function() use ($name): \stdClass {
            return client::for_everybody()->vocabulary($name);
        });
        return array_column($vocabulary->concepts, null, 'code');
    }

    /**
     * What a code is called in the user's language, else in English; a code that is not known is shown as it is.
     *
     * @param string $facet subject, level, type or licence
     * @param string $code
     * @return string plain text
     * @throws api\failure
     */
    public static function label(string $facet, string $code): string {
        $labels = (array) (self::concepts(self::VOCABULARY_OF[$facet])[$code]->labels ?? []);
        $language = str_replace('_', '-', current_language());
        while ($language !== '') {
            if (isset($labels[$language])) {
                return $labels[$language];
            }
            $language = substr($language, 0, (int) strrpos($language, '-')); // Like de-du, de.
        }
        return $labels['en'] ?? $code;
    }

    /**
     * Something from a cache, asked for where it is not there.
     *
     * @param string $cache
     * @param array $key
     * @param callable $ask
     * @return \stdClass
     */
    private static function kept(string $cache, array $key, callable $ask): \stdClass {
        $store = \cache::make('local_resourcerepo', $cache);
        $key = sha1(json_encode([connection::baseurl(), $key]));
        $kept = $store->get($key);
        if ($kept === false) {
            $kept = json_encode($ask());
            $store->set($key, $kept);
        }
        return json_decode($kept);
    }
}
