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

use local_resourcerepo\api\failure;
use local_resourcerepo\catalogue;

/**
 * A resource of the repository for templates: what everybody wants to know of it.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class resource_view {
    /** @var int Characters of a summary on a card. */
    const EXCERPT = 180;

    /** @var string[] Kinds of files that have a name of their own. */
    const KINDS = ['course', 'section', 'activity', 'file'];

    /**
     * The facts.
     *
     * @param \stdClass $resource of a search or by itself
     * @param \stdClass|null $version
     * @return array title, excerpt, kind, licence, authors, size, date, draft
     */
    public static function export(\stdClass $resource, ?\stdClass $version): array {
        $kind = in_array($version->kind ?? '', self::KINDS, true) ? $version->kind : 'file';
        $date = strtotime((string) ($version->released_at ?? $version->created_at ?? ''));
        return [
            'title' => $resource->title,
            'excerpt' => shorten_text(trim((string) $resource->summary_text), self::EXCERPT),
            'kind' => get_string("kind_{$kind}", 'local_resourcerepo'),
            'licence' => self::licence($resource->licence ?? null),
            'authors' => implode(', ', array_column($resource->authors ?? [], 'name')) ?: $resource->owner_name,
            'size' => empty($version->size) ? '' : display_size($version->size),
            'date' => $date ? userdate($date, get_string('strftimedate', 'langconfig')) : '',
            'draft' => $resource->visibility !== 'public',
        ];
    }

    /**
     * What a licence is called.
     *
     * @param string|null $licence
     * @return string
     */
    private static function licence(?string $licence): string {
        if ((string) $licence === '') {
            return get_string('nolicence', 'local_resourcerepo');
        }
        try {
            return catalogue::label('licence', $licence);
        } catch (failure $failure) {
            return $licence; // Its code says it, too.
        }
    }
}
