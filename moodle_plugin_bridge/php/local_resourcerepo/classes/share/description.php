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

namespace local_resourcerepo\share;

use local_resourcerepo\catalogue;
use local_resourcerepo\licences;

/**
 * What is said of a resource at the repository: proposed from the course, changed by the user.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class description {
    /** @var string What is proposed where neither files nor the site prefer a licence. */
    const LICENCE = 'CC-BY-SA-4.0';

    /**
     * What to propose.
     *
     * @param subject $subject
     * @param survey $survey
     * @return array for the form
     * @throws \local_resourcerepo\api\failure when the repository cannot be asked for its licences
     */
    public static function proposed(subject $subject, survey $survey): array {
        global $USER;
        return [
            'title' => $subject->name(),
            'summary' => ['text' => $subject->summary(), 'format' => FORMAT_HTML],
            'licence' => self::licence($survey),
            'language' => self::language($subject),
            'authors' => fullname($USER),
            'subjects' => [],
            'levels' => [],
            'keywords' => implode(', ', $subject->tags()),
            'release' => 0,
        ];
    }

    /**
     * What the user entered, as the repository takes it.
     *
     * @param \stdClass $data of the form
     * @return array
     */
    public static function entered(\stdClass $data): array {
        $authors = array_map(function(string $name): array {
            return ['name' => \core_text::substr($name, 0, 200)];
        }, self::lines('/[\r\n]+/', $data->authors ?? ''));
        return [
            'title' => \core_text::substr(trim($data->title), 0, 500),
            'summary' => clean_text($data->summary['text'] ?? '', FORMAT_HTML),
            'licence' => $data->licence,
            'languages' => $data->language === '' ? [] : [$data->language],
            'subjects' => array_values(array_filter((array) ($data->subjects ?? []), 'strlen')),
            'levels' => array_values(array_filter((array) ($data->levels ?? []), 'strlen')),
            'authors' => $authors,
            'keywords' => array_slice(self::lines('/[,;\r\n]+/', $data->keywords ?? ''), 0, 50),
        ];
    }

    /**
     * Licences to choose from.
     *
     * @return string[] by code
     */
    public static function licences(): array {
        return self::options('licence');
    }

    /**
     * Codes of a list to choose from, as they are ordered there.
     *
     * @param string $facet subject, level or licence
     * @return string[] labels by code
     */
    public static function options(string $facet): array {
        $options = [];
        $concepts = catalogue::concepts(catalogue::VOCABULARY_OF[$facet]);
        foreach ($concepts as $code => $concept) {
            $label = catalogue::label($facet, (string) $code);
            $broader = $concept->broader ?? null;
            if ($facet === 'subject' && $broader !== null && isset($concepts[$broader])) {
                $label = catalogue::label($facet, (string) $broader) . ' › ' . $label;
            }
            $options[(string) $code] = $label;
        }
        return $options;
    }

    /**
     * The licence to propose: that of the files, else that of the site.
     *
     * @param survey $survey
     * @return string
     */
    private static function licence(survey $survey): string {
        global $CFG;
        foreach ([$survey->licence(), $CFG->sitedefaultlicense ?? ''] as $shortname) {
            $licence = (string) $shortname === '' ? null : licences::licence($shortname);
            if ($licence !== null) {
                return $licence;
            }
        }
        return isset(self::licences()[self::LICENCE]) ? self::LICENCE : '';
    }

    /**
     * The language of the course, as a BCP 47 tag.
     *
     * @param subject $subject
     * @return string
     */
    private static function language(subject $subject): string {
        $language = $subject->cm->lang ?? '' ?: $subject->course->lang ?: current_language();
        return str_replace('_', '-', preg_replace('/_.*$/', '', $language));
    }

    /**
     * The parts of a text that are not empty.
     *
     * @param string $separator as regular expression
     * @param string $text
     * @return string[]
     */
    private static function lines(string $separator, string $text): array {
        return array_values(array_unique(array_filter(array_map('trim', preg_split($separator, $text)), 'strlen')));
    }
}
