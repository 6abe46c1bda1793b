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

use local_resourcerepo\api\client;
use local_resourcerepo\api\failure;
use local_resourcerepo\catalogue;
use local_resourcerepo\oauth\account;

/**
 * The repository as folders: the newest, by subject, level and type, and one's own.
 *
 * A path is the folder's name and the code chosen in it, such as subject/0511. Lists are cut into pages by the
 * repository's cursors, the picker counts pages: which page begins where is kept in the session.
 *
 * @package    repository_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class browser {
    /** @var string The folder of one's own resources. */
    const MINE = 'mine';

    /** @var string The folder of all, the newest first. */
    const NEWEST = 'newest';

    /** @var string[] Folders that have one folder for each code. */
    const FACETS = ['subject', 'level', 'type'];

    /** @var int Items of a page. */
    const PAGE = 30;

    /** @var int Pages looked through, at the most, for one that has a file that the form takes. */
    const LOOKED_THROUGH = 5;

    /** @var int Endings that the repository can be asked for at once. */
    const MOST_ENDINGS = 50;

    /** @var string[]|null Endings that the form takes, null for all. */
    private $accepted;

    /** @var array What the repository is asked for besides, so that it gives what the form takes. */
    private $filter = [];

    /**
     * Constructor.
     *
     * @param string[]|null $accepted endings with their dots in lower case, null for all
     */
    public function __construct(?array $accepted) {
        $this->accepted = $accepted;
        if ($accepted !== null && count($accepted) <= self::MOST_ENDINGS) {
            $this->filter = ['file_type' => array_map(function(string $ending): string {
                return ltrim($ending, '.');
            }, array_values($accepted))];
        }
    }

    /**
     * What there is in a folder.
     *
     * @param string $path
     * @param int $page from 1
     * @return array a listing
     * @throws failure
     */
    public function folder(string $path, int $page): array {
        [$name, $code] = explode('/', $path, 2) + ['', ''];
        $listing = ['path' => self::breadcrumb($path), 'list' => []];
        switch (true) {
            case $path === '':
                return ['list' => $this->roots()] + $listing;
            case $path === self::MINE:
                return $this->page(['mine' => true], $page) + $listing;
            case $path === self::NEWEST:
                return $this->page([], $page) + $listing;
            case in_array($name, self::FACETS, true) && $code === '':
                return ['list' => $this->codes($name, null)] + $listing;
            case in_array($name, self::FACETS, true) && isset(self::concepts($name)[$code]):
                $found = $this->page([$name => $code], $page);
                if ($page === 1) {
                    $found['list'] = array_merge($this->codes($name, $code), $found['list']);
                }
                return $found + $listing;
            default:
                throw new failure('notfound', null, 'no such folder');
        }
    }

    /**
     * What is found.
     *
     * @param array $query as for client::search()
     * @param int $page from 1
     * @return array a listing
     * @throws failure
     */
    public function search(array $query, int $page): array {
        return $this->page($query, $page) + ['path' => self::breadcrumb(''), 'issearchresult' => true];
    }

    /**
     * The way to a folder.
     *
     * @param string $path
     * @return array[] each with name and path
     */
    public static function breadcrumb(string $path): array {
        $way = [['name' => get_string('pluginname', 'repository_resourcerepo'), 'path' => '']];
        [$name, $code] = explode('/', $path, 2) + ['', ''];
        if ($name !== '' && in_array($name, array_merge(self::FACETS, [self::MINE, self::NEWEST]), true)) {
            $way[] = ['name' => get_string("folder_{$name}", 'repository_resourcerepo'), 'path' => $name];
        }
        if ($code !== '' && in_array($name, self::FACETS, true)) {
            $concepts = self::concepts($name);
            $codes = [];
            for ($up = $code; isset($concepts[$up]) && count($codes) < 10; $up = (string) $concepts[$up]->broader) {
                array_unshift($codes, $up);
            }
            foreach ($codes as $code) {
                $way[] = ['name' => catalogue::label($name, $code), 'path' => "{$name}/{$code}"];
            }
        }
        return $way;
    }

    /**
     * The folders to begin with.
     *
     * @return array[]
     */
    private function roots(): array {
        $names = array_merge([self::NEWEST], self::FACETS, account::current() === null ? [] : [self::MINE]);
        return array_map(function(string $name): array {
            return self::subfolder(get_string("folder_{$name}", 'repository_resourcerepo'), $name);
        }, $names);
    }

    /**
     * The folders of the codes directly below another one that have resources.
     *
     * @param string $facet
     * @param string|null $broader null for those at the top
     * @return array[] by name; levels in their own order
     */
    private function codes(string $facet, ?string $broader): array {
        $counts = catalogue::counts($facet, $this->filter);
        $folders = [];
        foreach (self::concepts($facet) as $code => $concept) {
            if ($concept->broader === $broader && !empty($counts[$code])) {
                $label = (object) ['label' => catalogue::label($facet, (string) $code), 'count' => $counts[$code]];
                $title = get_string('folder_count', 'repository_resourcerepo', $label);
                $folders[] = self::subfolder($title, "{$facet}/{$code}");
            }
        }
        if ($facet !== 'level') {
            \core_collator::asort_array_of_arrays_by_key($folders, 'title');
        }
        return array_values($folders);
    }

    /**
     * The concepts of a facet.
     *
     * @param string $facet
     * @return \stdClass[]
     */
    private static function concepts(string $facet): array {
        return catalogue::concepts(catalogue::VOCABULARY_OF[$facet]);
    }

    /**
     * A folder in a list.
     *
     * @param string $title
     * @param string $path
     * @return array
     */
    private static function subfolder(string $title, string $path): array {
        return [
            'title' => $title,
            'path' => $path,
            'children' => [],
            'thumbnail' => item::thumbnail(null),
            'thumbnail_height' => 64,
            'thumbnail_width' => 64,
        ];
    }

    /**
     * A page of resources; where none of them can be taken by the form, the next one that has some.
     *
     * @param array $query
     * @param int $page from 1
     * @return array part of a listing
     */
    private function page(array $query, int $page): array {
        $list = [];
        for ($looked = 0; $looked < self::LOOKED_THROUGH; $looked++, $page++) {
            $found = $this->fetch($query, $page);
            foreach ($found->items as $resource) {
                if (!empty($resource->versions) && $this->takes($resource->versions[0]->file_name)) {
                    $list[] = item::of($resource);
                }
            }
            if ($list || $found->next_cursor === null) {
                break;
            }
        }
        return ['list' => $list, 'page' => $page, 'pages' => $found->next_cursor === null ? $page : -1];
    }

    /**
     * A page as the repository gives it.
     *
     * @param array $query
     * @param int $page from 1
     * @return \stdClass with items, next_cursor
     */
    private function fetch(array $query, int $page): \stdClass {
        $pages = \cache::make('repository_resourcerepo', 'pages');
        $key = sha1(json_encode($query + $this->filter)) . '_';
        $cursor = null;
        if ($page > 1) {
            $cursor = $pages->get($key . $page);
            if ($cursor === false) {
                return (object) ['items' => [], 'next_cursor' => null]; // A page that nobody was offered.
            }
        }
        $found = empty($query['mine'])
            ? catalogue::search($query + $this->filter, self::PAGE, $cursor)
            : client::for_user()->my_resources(self::PAGE, $cursor);
        if ($found->next_cursor !== null) {
            $pages->set($key . ($page + 1), $found->next_cursor);
        }
        return $found;
    }

    /**
     * Whether the form takes a file.
     *
     * @param string $filename
     * @return bool
     */
    private function takes(string $filename): bool {
        return $this->accepted === null ||
            in_array('.' . strtolower(pathinfo($filename, PATHINFO_EXTENSION)), $this->accepted, true);
    }
}
