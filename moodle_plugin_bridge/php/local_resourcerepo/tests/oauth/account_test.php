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

namespace local_resourcerepo\oauth;

use local_resourcerepo\api\account_required;
use local_resourcerepo\api\failure;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../fixtures/fake_catalogue.php');
require_once(__DIR__ . '/../fixtures/fake_token_server.php');
require_once(__DIR__ . '/../fixtures/running_repository.php');

/**
 * Users' own accounts, in Moodle's OAuth 2 client.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_resourcerepo\oauth\account
 * @covers     \local_resourcerepo\oauth\client
 */
final class account_test extends \advanced_testcase {
    /** @var \stdClass */
    private $teacher;

    /**
     * A registered site and a teacher.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        fake_token_server::register($this);
        $this->teacher = $this->getDataGenerator()->create_user();
        $this->setUser($this->teacher);
    }

    /**
     * Answers that nobody asked for are not for the next test.
     */
    protected function tearDown(): void {
        \local_resourcerepo\fake_catalogue::forget_answers();
        parent::tearDown();
    }

    /**
     * A refresh token of the teacher's.
     *
     * @param string $token
     * @return void
     */
    private function keep_refresh_token(string $token): void {
        global $DB;
        $DB->insert_record('oauth2_refresh_token', (object) [
            'timecreated' => 1, 'timemodified' => 1, 'userid' => $this->teacher->id, 'token' => $token,
            'issuerid' => registration::issuer()->get('id'), 'scopehash' => sha1(' ' . registration::SCOPES),
        ]);
    }

    /**
     * A code that somebody comes with who was not sent for one is not traded: by a link with their own, anybody could have
     * a teacher share into an account that is not the teacher's.
     */
    public function test_code_of_somebody_else(): void {
        $tokens = json_encode(['access_token' => 'a', 'expires_in' => 3600, 'refresh_token' => 'b']);
        $_GET['oauth2code'] = 'code-of-an-attacker';
        foreach ([null, '', 'guessed'] as $sesskey) {
            $_GET['sesskey'] = $sesskey;
            \curl::mock_response($tokens);
            $this->assertFalse(account::current()->is_connected());
        }
        $_GET['sesskey'] = sesskey();
        $this->assertTrue(account::current()->is_connected());
    }

    /**
     * Who has no account that this site may use is told how to connect it.
     */
    public function test_not_connected(): void {
        $account = account::current(new \moodle_url('/local/resourcerepo/connect.php'));
        $this->assertFalse($account->is_connected());
        $url = $account->login_url();
        $this->assertSame('https://resources.example.org/oauth/authorize', $url->out_omit_querystring());
        $this->assertSame(registration::SCOPES, trim($url->get_param('scope')));
        $this->expectException(account_required::class);
        account::required();
    }

    /**
     * Nobody has an account where the site is not registered, nor guests, nor who is logged in as somebody.
     */
    public function test_nobody(): void {
        $this->setGuestUser();
        $this->assertNull(account::current());
        $this->setUser(null);
        $this->assertNull(account::current());
        $this->setAdminUser();
        \core\session\manager::loginas($this->teacher->id, \context_system::instance());
        $this->assertNull(account::current());
    }

    /**
     * Who may not connect an account has none, and is told so.
     */
    public function test_not_allowed(): void {
        global $CFG;
        $context = \context_system::instance();
        assign_capability('local/resourcerepo:connect', CAP_PROHIBIT, $CFG->defaultuserroleid, $context->id, true);
        $this->assertNull(account::current());
        try {
            account::required();
            $this->fail('No failure');
        } catch (failure $failure) {
            $this->assertSame('notallowed', $failure->reason);
        }
    }

    /**
     * A site that is not registered says so.
     */
    public function test_not_registered(): void {
        $this->setAdminUser();
        registration::forget();
        $this->setUser($this->teacher);
        $this->assertNull(account::current());
        try {
            account::required();
            $this->fail('No failure');
        } catch (failure $failure) {
            $this->assertSame('notregistered', $failure->reason);
        }
    }

    /**
     * Moodle's refresh token brings a token, in a task without a session, too, and is replaced by the new one.
     */
    public function test_refreshed(): void {
        global $DB;
        $this->keep_refresh_token('first');
        \curl::mock_response(json_encode([
            'access_token' => 'fresh', 'token_type' => 'bearer', 'expires_in' => 3600, 'refresh_token' => 'second',
        ]));
        $this->assertSame('fresh', account::required()->token());
        $this->assertSame('second', $DB->get_field('oauth2_refresh_token', 'token', ['userid' => $this->teacher->id]));
        $this->assertSame('fresh', account::required()->token(), 'It is kept for the next question.');
    }

    /**
     * A token that is not taken any more is replaced; the connection stays.
     */
    public function test_renewed(): void {
        $this->keep_refresh_token('first');
        \curl::mock_response(json_encode(['access_token' => 'new', 'expires_in' => 3600, 'refresh_token' => 'third']));
        \curl::mock_response(json_encode(['access_token' => 'old', 'expires_in' => 3600, 'refresh_token' => 'second']));
        $account = account::required();
        $this->assertSame('old', $account->token());
        $account->renew();
        $this->assertSame('new', $account->token());
    }

    /**
     * A repository that is down does not cost anybody their connection.
     */
    public function test_outage(): void {
        global $DB;
        $this->keep_refresh_token('first');
        set_config('curlsecurityblockedhosts', '');
        set_config('curlsecurityallowedport', '');
        $down = 'https://127.0.0.1:9/oauth/token'; // Where nothing listens.
        $DB->set_field('oauth2_endpoint', 'url', $down, ['name' => 'token_endpoint']);
        foreach (['unreachable' => '', 'blocked' => '127.0.0.1'] as $reason => $blocked) {
            set_config('curlsecurityblockedhosts', $blocked);
            try {
                account::required();
                $this->fail('No failure');
            } catch (failure $failure) {
                $this->assertSame($reason, $failure->reason);
                $this->assertNotInstanceOf(account_required::class, $failure);
            }
            $this->assertSame('first', $DB->get_field('oauth2_refresh_token', 'token', ['userid' => $this->teacher->id]));
        }
    }

    /**
     * Whose permission was taken back at the repository is told to connect again.
     */
    public function test_revoked(): void {
        global $DB;
        $this->keep_refresh_token('first');
        \curl::mock_response(json_encode(['error' => 'invalid_grant', 'error_description' => 'Revoked.']));
        $this->assertFalse(account::current()->is_connected());
        $this->assertSame(0, $DB->count_records('oauth2_refresh_token'));
    }

    /**
     * Disconnecting forgets both tokens here.
     */
    public function test_disconnect(): void {
        global $DB;
        $this->keep_refresh_token('first');
        \curl::mock_response('{}'); // Of the revocation.
        \curl::mock_response(json_encode(['access_token' => 'a', 'expires_in' => 3600, 'refresh_token' => 'b']));
        $account = account::required();
        $account->disconnect();
        $this->assertFalse($account->is_connected());
        $this->assertSame(0, $DB->count_records('oauth2_refresh_token'));
    }

    /**
     * The repository is told to end the consent, not only a token that ends in minutes anyway.
     */
    public function test_disconnected_there(): void {
        global $DB;
        $this->keep_refresh_token('first');
        $repository = new \local_resourcerepo\running_repository();
        try {
            $there = $repository->baseurl . '/oauth/revoke';
            if (clean_param($there, PARAM_URL) === '') {
                $this->markTestSkipped('This Moodle reads no address without TLS out of its tables.');
            }
            $DB->set_field('oauth2_endpoint', 'url', $there, ['name' => 'revocation_endpoint']);
            account::current()->disconnect();
            [$request] = $repository->requests();
        } finally {
            $repository->stop();
        }
        $this->assertSame(['POST', '/oauth/revoke'], [$request->method, $request->uri]);
        $this->assertEquals((object) ['token' => 'first', 'client_id' => 'c0ffee', 'client_secret' => 'hush'], $request->form);
        $this->assertSame(0, $DB->count_records('oauth2_refresh_token'));
    }
}
