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

namespace local_resourcerepo\api;

/**
 * What goes wrong is told in sentences.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_resourcerepo\api\failure
 */
final class failure_test extends \basic_testcase {
    /**
     * A problem as the repository tells it.
     *
     * @param int $status
     * @param array $problem
     * @return failure
     */
    private function told(int $status, array $problem): failure {
        $response = new response($status, ['Content-Type' => 'application/problem+json'], json_encode($problem));
        return failure::of_response($response, 'resources.example.org');
    }

    /**
     * Statuses and what they are.
     *
     * @return array[]
     */
    public static function statuses(): array {
        return [
            [400, 'refused'], [403, 'refused'], [404, 'notfound'], [409, 'refused'], [410, 'gone'], [413, 'refused'],
            [422, 'refused'], [429, 'busy'], [500, 'broken'], [502, 'unreachable'], [503, 'busy'], [507, 'full'],
        ];
    }

    /**
     * Each status has its sentence.
     *
     * @dataProvider statuses
     * @param int $status
     * @param string $reason
     */
    public function test_of_status(int $status, string $reason): void {
        $failure = $this->told($status, ['detail' => 'Why.', 'code' => 'some-code', 'advice' => 'Do that.']);
        $this->assertSame($reason, $failure->reason);
        $this->assertSame('some-code', $failure->problem);
        $this->assertStringNotContainsString('[[', $failure->getMessage());
        $this->assertStringNotContainsString('{$a', $failure->getMessage());
    }

    /**
     * Why the repository refuses something is shown, with what to do, and without markup.
     */
    public function test_detail_is_shown(): void {
        $failure = $this->told(413, [
            'detail' => 'Your quota has room for <b>5 MB</b> only.',
            'advice' => 'Delete what you no longer need.',
            'code' => 'quota-exceeded',
        ]);
        $this->assertStringContainsString('Your quota has room for 5 MB only. Delete what', $failure->getMessage());
        $this->assertLessThan(700, strlen($this->told(400, ['detail' => str_repeat('Long. ', 500)])->getMessage()));
    }

    /**
     * A token that is not taken leads to one's account.
     */
    public function test_account(): void {
        $this->assertInstanceOf(account_required::class, $this->told(401, ['detail' => 'Revoked.', 'code' => 'unauthorised']));
        $this->assertInstanceOf(account_required::class, $this->told(403, ['detail' => 'Scope.', 'code' => 'insufficient-scope']));
    }

    /**
     * An error of OAuth is understood, too.
     */
    public function test_oauth(): void {
        $body = json_encode(['error' => 'invalid_redirect_uri', 'error_description' => 'Not https.']);
        $failure = failure::of_response(new response(400, ['content-type' => 'application/json'], $body), 'example.org');
        $this->assertSame('invalid_redirect_uri', $failure->problem);
        $this->assertStringContainsString('Not https.', $failure->getMessage());
    }

    /**
     * What is no repository is called so: an error page of a web server, say.
     */
    public function test_not_a_repository(): void {
        $response = new response(404, ['content-type' => 'text/html'], '<h1>Not Found</h1>');
        $this->assertSame('notarepository', failure::of_response($response, 'example.org')->reason);
    }

    /**
     * A front server whose repository is down says so without a problem: there is nothing to repeat of it.
     */
    public function test_down_behind_a_front_server(): void {
        foreach ([429, 503] as $status) {
            $headers = ['retry-after' => '60', 'content-type' => 'text/plain'];
            $failure = failure::of_response(new response($status, $headers, 'Not there.'), 'example.org');
            $this->assertSame('unreachable', $failure->reason);
            $this->assertSame(60, $failure->retryafter);
            $this->assertTrue($failure->transient);
        }
    }

    /**
     * When to ask again is told in minutes.
     */
    public function test_retry_after(): void {
        $headers = ['Retry-After' => '90', 'Content-Type' => 'application/problem+json'];
        $response = new response(503, $headers, '{"detail": "Reindexing."}');
        $failure = failure::of_response($response, 'example.org');
        $this->assertSame(90, $failure->retryafter);
        $this->assertTrue($failure->transient);
        $this->assertStringContainsString('2 min', $failure->getMessage());
    }

    /**
     * Errors of libcurl.
     *
     * @return array[]
     */
    public static function errors(): array {
        return [
            [0, 'blocked'], [CURLE_COULDNT_RESOLVE_HOST, 'unreachable'], [CURLE_COULDNT_CONNECT, 'unreachable'],
            [CURLE_OPERATION_TIMEOUTED, 'slow'], [CURLE_SSL_CACERT, 'untrusted'], [CURLE_SSL_CONNECT_ERROR, 'untrusted'],
            [CURLE_PARTIAL_FILE, 'brokenoff'], [CURLE_RECV_ERROR, 'brokenoff'], [CURLE_GOT_NOTHING, 'unreachable'],
        ];
    }

    /**
     * Each error has its sentence.
     *
     * @dataProvider errors
     * @param int $errno
     * @param string $reason
     */
    public function test_of_curl(int $errno, string $reason): void {
        $failure = failure::of_curl($errno, 'what libcurl says', 'resources.example.org');
        $this->assertSame($reason, $failure->reason);
        // In tests Moodle appends what is for developers.
        $sentence = get_string("failure_{$reason}", 'local_resourcerepo', (object) ['host' => 'resources.example.org']);
        $this->assertStringStartsWith($sentence, $failure->getMessage());
        $this->assertStringContainsString('what libcurl says', $failure->debuginfo);
    }
}
