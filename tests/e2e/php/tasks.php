<?php
// This file is part of the Moodle resources repository (AGPL-3.0-or-later).

/**
 * Runs the background tasks of our plugin that wait on a real Moodle, as its cron would, at the highest level of debugging.
 *
 *     php tasks.php MOODLE_DIR
 *
 * What is to be tried again later is tried now. Prints one JSON object: said (what the tasks printed, notices of PHP and
 * of Moodle's included) and mebibytes (the most memory that this process held).
 */

define('CLI_SCRIPT', true);

[, $moodledir] = $argv;
require($moodledir . '/config.php');

set_debugging(DEBUG_DEVELOPER, true);
$CFG->mtrace_wrapper = 'say'; // It would write past what is collected here.

function say(string $line, string $end): void {
    echo $line . $end;
}

const TASK = '\local_resourcerepo\task\run_job';

ob_start();
$DB->set_field('task_adhoc', 'nextruntime', time() - 1, ['classname' => TASK]);
\core\cron::setup_user();
\core\cron::run_adhoc_tasks(time(), 0, true, null, null, TASK);
$said = ob_get_clean();

preg_match('/^VmHWM:\s+(\d+) kB$/m', file_get_contents('/proc/self/status'), $peak);
echo json_encode(['said' => $said, 'mebibytes' => $peak[1] / 1024], JSON_INVALID_UTF8_SUBSTITUTE), "\n";
