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

/**
 * What this site is, for the question whether something would be restored here.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class site {
    /** @var int Characters that a list in an address may have: longer addresses are refused by many servers. */
    const LONGEST = 3000;

    /**
     * The arguments of the question.
     *
     * Of the plugins that this site has beyond Moodle's own, those are named that the backup uses: more than a hundred are
     * nothing special, and the repository asks only for those.
     *
     * @param \stdClass $inspection of the version
     * @return string[] moodle, plugins, without
     */
    public static function described(\stdClass $inspection): array {
        $used = array_column($inspection->plugins ?? [], 'component');
        $components = array_keys((array) ($inspection->components ?? []));
        $own = [];
        foreach (self::additional() as $component => $version) {
            if (in_array($component, $used, true) || in_array($component, $components, true)) {
                $own[] = $version ? "{$component}:{$version}" : $component;
            }
        }
        $removed = array_intersect($components, self::removed());
        return [
            'moodle' => self::release(),
            'plugins' => self::listed($own),
            'without' => self::listed($removed),
        ];
    }

    /**
     * The release of this Moodle, such as 4.5.6+.
     *
     * @return string
     */
    public static function release(): string {
        global $CFG;
        return trim(preg_replace('/\s*\(.*$/', '', $CFG->release));
    }

    /**
     * Activities of a backup that are there after a restore, but that nobody sees, because the administrator has switched
     * their plugin off.
     *
     * @param \stdClass $inspection
     * @return string[] names of the plugins, for people
     */
    public static function switched_off(\stdClass $inspection): array {
        global $DB;
        $names = [];
        foreach (array_keys((array) ($inspection->activities_by_module ?? [])) as $module) {
            if ($DB->record_exists('modules', ['name' => $module, 'visible' => 0])) {
                $names[] = get_string('pluginname', "mod_{$module}");
            }
        }
        return $names;
    }

    /**
     * Plugins that are here and are not Moodle's own.
     *
     * @return array version (string or null) by component
     */
    private static function additional(): array {
        $found = [];
        foreach (\core_plugin_manager::instance()->get_plugins() as $plugins) {
            foreach ($plugins as $plugin) {
                if (!$plugin->is_standard() && $plugin->is_installed_and_upgraded()) {
                    $found[$plugin->component] = $plugin->versiondb;
                }
            }
        }
        return $found;
    }

    /**
     * Plugins that are Moodle's own and are not here.
     *
     * @return string[] components
     */
    private static function removed(): array {
        $found = [];
        foreach (array_keys(\core_component::get_plugin_types()) as $type) {
            $standard = \core_plugin_manager::standard_plugins_list($type) ?: [];
            foreach (array_diff($standard, array_keys(\core_component::get_plugin_list($type))) as $name) {
                $found[] = "{$type}_{$name}";
            }
        }
        return $found;
    }

    /**
     * A list as argument, as much of it as fits.
     *
     * @param string[] $items
     * @return string
     */
    private static function listed(array $items): string {
        $list = implode(',', $items);
        return strlen($list) <= self::LONGEST ? $list : substr($list, 0, strrpos(substr($list, 0, self::LONGEST), ','));
    }
}
