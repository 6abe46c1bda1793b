<?php
// This file is part of the Moodle resources repository (AGPL-3.0-or-later).

/**
 * Gives somebody on a real Moodle German pages.
 *
 *     php german.php MOODLE_DIR give USERNAME
 *     php german.php MOODLE_DIR take
 *
 * Where the site has no German, "give" makes a language of that name with nothing in it: Moodle's own words stay
 * English then, and those of plugins are theirs. "take" takes away what was made. Prints one JSON object.
 */

define('CLI_SCRIPT', true);

[, $moodledir, $what] = $argv;
require($moodledir . '/config.php');
require_once($CFG->libdir . '/filelib.php');

$folder = $CFG->langotherroot . '/de';
$mark = $folder . '/made-by-tests';
if ($what === 'give') {
    if (!is_dir($folder)) {
        make_writable_directory($folder);
        touch($mark);
        file_put_contents("$folder/langconfig.php", "<?php\n\$string['thislanguage'] = 'Deutsch';\n\$string['iso6391'] = 'de';\n");
    }
    $DB->set_field('user', 'lang', 'de', ['username' => $argv[3]]);
} else if (file_exists($mark)) {
    fulldelete($folder);
}
get_string_manager()->reset_caches();
echo json_encode(['languages' => array_keys(get_string_manager()->get_list_of_translations())]), "\n";
