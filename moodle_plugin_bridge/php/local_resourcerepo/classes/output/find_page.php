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

namespace local_resourcerepo\output;

use local_resourcerepo\api\client;
use local_resourcerepo\catalogue;
use local_resourcerepo\oauth\registration;

/**
 * A search in the repository, from a course.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class find_page implements \renderable, \templatable {
    /** @var string[] What can be filtered by. */
    const FILTERS = ['type', 'subject', 'level', 'language', 'licence'];

    /** @var int Resources on a page. */
    const LIMIT = 12;

    /** @var \moodle_url Of the page, with the course. */
    private $url;

    /** @var string[] What was asked for, by name: q and FILTERS. */
    private $query;

    /** @var string Where the page begins; empty for the first one. */
    private $cursor;

    /** @var bool Whether the user's own resources are wanted. */
    private $mine;

    /** @var \stdClass What was found. */
    private $found;

    /**
     * Constructor: searches.
     *
     * @param \moodle_url $url of the page, with the course
     * @param string[] $query what was asked for, by name: q and FILTERS
     * @param string $cursor where the page begins; empty for the first one
     * @param bool $mine whether the user's own resources are wanted, drafts included
     * @throws \local_resourcerepo\api\failure
     */
    public function __construct(\moodle_url $url, array $query, string $cursor, bool $mine) {
        $this->url = $url;
        $this->query = $query;
        $this->cursor = $cursor;
        $this->mine = $mine;
        $this->found = $mine
            ? client::for_user()->my_resources(self::LIMIT, $cursor === '' ? null : $cursor)
            : catalogue::search($query + ['facet' => self::FILTERS], self::LIMIT, $cursor === '' ? null : $cursor);
    }

    /**
     * For the template.
     *
     * @param \renderer_base $output
     * @return array
     */
    public function export_for_template(\renderer_base $output) {
        $asked = array_filter($this->query, 'strlen');
        $total = $this->found->total ?? count($this->found->items);
        $next = $this->found->next_cursor ?? null;
        return [
            'action' => $this->url->out_omit_querystring(),
            'hidden' => $this->hidden(),
            'q' => $this->query['q'],
            'mine' => $this->mine,
            'filters' => $this->mine ? [] : array_map([$this, 'filter'], self::FILTERS),
            'asked' => (bool) $asked,
            'allurl' => $this->url->out(false),
            'mineurl' => registration::issuer() === null ? '' : (new \moodle_url($this->url, ['mine' => 1]))->out(false),
            'total' => $total,
            'countable' => !$this->mine,
            'cards' => array_map([$this, 'card'], $this->found->items),
            'none' => !$this->found->items,
            'nexturl' => $next ? $this->page($next)->out(false) : '',
            'firsturl' => $this->cursor === '' ? '' : $this->page('')->out(false),
        ];
    }

    /**
     * What the form of the search sends along.
     *
     * @return array[]
     */
    private function hidden(): array {
        $hidden = [];
        foreach ($this->url->params() as $name => $value) {
            $hidden[] = ['name' => $name, 'value' => $value];
        }
        return $hidden;
    }

    /**
     * A filter with its values and how often each is there.
     *
     * @param string $name
     * @return array
     */
    private function filter(string $name): array {
        $counts = array_column($this->found->facets->$name ?? [], 'count', 'value');
        $chosen = $this->query[$name];
        if ($chosen !== '' && !isset($counts[$chosen])) {
            $counts[$chosen] = 0;
        }
        $options = [];
        foreach ($counts as $value => $count) {
            $label = $this->label($name, (string) $value);
            $options[] = ['value' => (string) $value, 'label' => "{$label} ({$count})", 'selected' => (string) $value === $chosen];
        }
        return ['name' => $name, 'label' => get_string("filter_{$name}", 'local_resourcerepo'), 'options' => $options];
    }

    /**
     * What a value is called.
     *
     * @param string $name of the filter
     * @param string $value
     * @return string
     */
    private function label(string $name, string $value): string {
        if ($name !== 'language') {
            return catalogue::label($name, $value);
        }
        $code = strtolower(strtok($value, '-'));
        return get_string_manager()->get_list_of_languages(null, 'iso6391')[$code] ?? $value;
    }

    /**
     * A card.
     *
     * @param \stdClass $resource
     * @return array
     */
    private function card(\stdClass $resource): array {
        $item = new \moodle_url('/local/resourcerepo/item.php', $this->url->params() + ['id' => $resource->id]);
        return resource_view::export($resource, $resource->versions[0] ?? null) + ['url' => $item->out(false)];
    }

    /**
     * The same search from elsewhere.
     *
     * @param string $cursor
     * @return \moodle_url
     */
    private function page(string $cursor): \moodle_url {
        $parameters = array_filter($this->query + ['cursor' => $cursor, 'mine' => $this->mine ? '1' : ''], 'strlen');
        return new \moodle_url($this->url, $parameters);
    }
}
