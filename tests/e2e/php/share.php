<?php
// This file is part of the Moodle resources repository (AGPL-3.0-or-later).

/**
 * Shares a file as Moodle's own code does (core\moodlenet\moodlenet_client), with a token that is given.
 *
 *     php share.php MOODLE_DIR FILE BASE_URL TOKEN NAME DESCRIPTION
 *
 * Prints one JSON object: status, body (of an answer), error (what Moodle would show of a refusal).
 */

define('CLI_SCRIPT', true);

[, $moodledir, $path, $baseurl, $token, $name, $description] = $argv;
require($moodledir . '/config.php');

// The address is one of this machine: what the site blocks is no part of what is tried here.
$CFG->curlsecurityblockedhosts = '';
$CFG->curlsecurityallowedport = '';

/** Somebody who has signed in already. */
class signed_in extends \core\oauth2\client {
    public function __construct(private string $token) {
    }

    public function get_accesstoken() {
        return (object) ['token' => $this->token];
    }
}

$class = new ReflectionClass('core\moodlenet\moodlenet_client');
$client = $class->newInstanceWithoutConstructor();
(new ReflectionProperty($client, 'oauthclient'))->setValue($client, new signed_in($token));
$request = (new ReflectionMethod($client, 'prepare_file_share_request_data'))->invoke(
    $client,
    basename($path),
    'application/vnd.moodle.backup',
    \GuzzleHttp\Psr7\Utils::streamFor(fopen($path, 'rb')),
    $name,
    $description,
);
$told = ['status' => 0, 'body' => null, 'error' => ''];
try {
    $address = $baseurl . $class->getConstant('API_CREATE_RESOURCE_URI');
    $answer = (new \core\http_client())->request('POST', $address, $request);
    $told['status'] = $answer->getStatusCode();
    $told['body'] = json_decode((string) $answer->getBody());
} catch (\GuzzleHttp\Exception\GuzzleException $refused) {
    $told['error'] = $refused->getMessage();
}
echo json_encode($told), "\n";
