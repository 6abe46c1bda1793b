<?php
// This file is part of the Moodle resources repository (AGPL-3.0-or-later).

/**
 * Remembers what tests change in a real Moodle's settings, and puts it back.
 *
 *     php settings.php MOODLE_DIR read
 *     php settings.php MOODLE_DIR write JSON
 *
 * "read" prints one JSON object, which "write" takes: values of settings (null where none is stored), and the
 * OAuth 2 services there are. "write" removes every other service. What "read" tells of our plugins, their folder and the
 * version that is installed, is not written.
 */

define('CLI_SCRIPT', true);

[, $moodledir, $what] = $argv;
require($moodledir . '/config.php');

const SETTINGS = [
    'core' => ['enablesharingtomoodlenet', 'curlsecurityblockedhosts', 'curlsecurityallowedport',
        'activitychooseractivefooter', 'debug', 'debugdisplay', 'noreplyaddress',
        'enableasyncbackup'],
    'moodlenet' => ['oauthservice'],
    'tool_moodlenet' => ['enablemoodlenet', 'defaultmoodlenet', 'defaultmoodlenetname'],
    'local_resourcerepo' => ['baseurl', 'issuerid'],
];

const PLUGINS = ['local_resourcerepo', 'repository_resourcerepo'];

function plugin(string $name): ?string {
    return $name === 'core' ? null : $name;
}

function read(): array {
    $values = [];
    foreach (SETTINGS as $component => $names) {
        foreach ($names as $name) {
            $value = get_config($component, $name);
            $values[$component][$name] = $value === false ? null : (string) $value;
        }
    }
    $issuers = array_map(fn($issuer) => (int) $issuer->get('id'), \core\oauth2\api::get_all_issuers());
    $plugins = [];
    foreach (PLUGINS as $component) {
        $version = get_config($component, 'version');
        $plugins[$component] = $version ? [core_component::get_component_directory($component), (string) $version] : null;
    }
    return ['values' => $values, 'issuers' => array_values($issuers), 'plugins' => $plugins];
}

function write(stdClass $before): array {
    foreach ($before->values as $component => $values) {
        foreach ($values as $name => $value) {
            $value === null ? unset_config($name, plugin($component)) : set_config($name, $value, plugin($component));
        }
    }
    \core\session\manager::set_user(get_admin());
    foreach (\core\oauth2\api::get_all_issuers() as $issuer) {
        if (!in_array((int) $issuer->get('id'), $before->issuers, true)) {
            \core\oauth2\api::delete_issuer($issuer->get('id'));
        }
    }
    return read();
}

echo json_encode($what === 'read' ? read() : write(json_decode($argv[3])), JSON_PRETTY_PRINT), "\n";
