<?php
// This file is part of the Moodle resources repository (AGPL-3.0-or-later).

/**
 * Tells what a site has that backups may ask for: its version and its plugins.
 *
 *     php plugins.php MOODLE_DIR
 *
 * Prints one JSON object: version, release, added (component: version), removed and disabled (components).
 */

define('CLI_SCRIPT', true);

[, $moodledir] = $argv;
require($moodledir . '/config.php');

const TYPES = ['mod', 'qtype', 'block', 'format', 'availability', 'customfield', 'filter', 'enrol', 'gradingform',
    'contenttype'];

$manager = core_plugin_manager::instance();
$site = [
    'version' => (string) $CFG->version, 'release' => $CFG->release,
    'added' => [], 'removed' => [], 'disabled' => [],
];
foreach (TYPES as $type) {
    $installed = $manager->get_installed_plugins($type);
    $standard = core_plugin_manager::standard_plugins_list($type) ?: [];
    foreach (array_diff(array_keys($installed), $standard) as $name) {
        $site['added']["{$type}_$name"] = (string) $installed[$name];
    }
    foreach (array_diff($standard, array_keys($installed)) as $name) {
        $site['removed'][] = "{$type}_$name";
    }
}
foreach ($DB->get_fieldset_select('modules', 'name', 'visible = 0') as $name) {
    $site['disabled'][] = "mod_$name";
}
$site['added'] = (object) $site['added'];
echo json_encode($site, JSON_PRETTY_PRINT), "\n";
