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
use local_resourcerepo\connection;
use local_resourcerepo\licences;

/**
 * A resource as a file in the picker.
 *
 * @package    repository_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class item {
    /** @var string What a source begins with. */
    const SOURCE = 'resource:';

    /**
     * What a picked file is told by.
     *
     * @param string $id of the resource
     * @return string
     */
    public static function source(string $id): string {
        return self::SOURCE . $id;
    }

    /**
     * Which resource a source or a reference is of.
     *
     * @param string $source from wherever: a browser, a restored backup
     * @return string the id of a resource
     * @throws failure when it is nothing that this plugin made
     */
    public static function id(string $source): string {
        $id = substr($source, strlen(self::SOURCE));
        if (strpos($source, self::SOURCE) !== 0 || !client::is_id($id)) {
            throw new failure('notfound', null, 'not a source of this repository');
        }
        return strtolower($id);
    }

    /**
     * The version that counts: the newest that the one who asks may see.
     *
     * @param \stdClass $resource
     * @return \stdClass
     * @throws failure when there is none
     */
    public static function newest(\stdClass $resource): \stdClass {
        if (empty($resource->versions[0])) {
            throw new failure('notfound', null, 'no version');
        }
        return $resource->versions[0];
    }

    /**
     * The page about a resource: at the address that the administrator has set, whatever the repository answers.
     *
     * @param string $id
     * @return string
     */
    public static function page(string $id): string {
        return connection::baseurl() . '/resources/' . rawurlencode($id);
    }

    /**
     * Where a browser gets a public file.
     *
     * @param \stdClass $resource
     * @param \stdClass $version
     * @return string
     */
    public static function download_url(\stdClass $resource, \stdClass $version): string {
        return connection::baseurl() . "/files/{$resource->id}/" . (int) $version->number . '/' . rawurlencode($version->file_name);
    }

    /**
     * An item of a list.
     *
     * @param \stdClass $resource as the API gives it
     * @return array as repository::get_listing() describes it
     */
    public static function of(\stdClass $resource): array {
        global $OUTPUT;
        $version = self::newest($resource);
        // Without any the picker would say that the one who picks is the author.
        $authors = implode(', ', array_column($resource->authors, 'name')) ?:
            get_string('sharedby', 'repository_resourcerepo', $resource->owner_name);
        $licence = $resource->licence === null ? '' : catalogue::label('licence', $resource->licence);
        $draft = $resource->visibility !== 'public';
        $title = $draft ? get_string('draft', 'repository_resourcerepo', $resource->title) : $resource->title;
        $icon = $OUTPUT->image_url(file_extension_icon($version->file_name))->out(false);
        $item = [
            'title' => $version->file_name,
            'shorttitle' => $title ?: $version->file_name,
            'source' => self::source($resource->id),
            'author' => $authors,
            'license' => licences::shortname($resource->licence),
            'datemodified' => strtotime($version->released_at ?? $version->created_at),
            'datecreated' => strtotime($resource->created_at),
            'thumbnail' => self::thumbnail($version->file_name),
            'icon' => $icon,
            'thumbnail_width' => 90,
            'thumbnail_height' => 90,
            'thumbnail_title' => implode(' · ', array_filter([$title, $authors, $licence, self::use_of($version)])),
            'url' => self::page($resource->id),
        ];
        if (isset($version->size)) {
            $item['size'] = (int) $version->size;
        }
        if (!empty($version->thumbnail_url) && !$draft) { // Browsers have no token.
            $item['realthumbnail'] = $version->thumbnail_url;
        }
        return $item;
    }

    /**
     * What Moodle makes of a file when it is brought into a course, where that is more than a file.
     *
     * @param \stdClass $version
     * @return string empty for a plain file, and where the repository does not say
     */
    private static function use_of(\stdClass $version): string {
        $uses = ['restore', 'h5pactivity', 'scorm'];
        $use = $version->moodle_use ?? '';
        return in_array($use, $uses, true) ? get_string("use_{$use}", 'repository_resourcerepo') : '';
    }

    /**
     * The large icon of a file or a folder. Before Moodle 4.3 icons have a size, since then they have none.
     *
     * @param string|null $filename null for a folder
     * @return string address
     */
    public static function thumbnail(?string $filename): string {
        global $CFG, $OUTPUT;
        $size = (int) $CFG->branch < 403 ? [90] : [];
        $icon = $filename === null ? file_folder_icon(...$size) : file_extension_icon($filename, ...$size);
        return $OUTPUT->image_url($icon)->out(false);
    }
}
