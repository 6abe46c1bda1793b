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

use core\oauth2\api;
use local_resourcerepo\api\failure;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../fixtures/fake_catalogue.php');

/**
 * This site registers itself.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_resourcerepo\oauth\registration
 * @covers     \local_resourcerepo\oauth\metadata
 */
final class registration_test extends \advanced_testcase {
    /** @var string */
    const BASEURL = 'https://resources.example.org/oer';

    /** @var array What the repository says (RFC 8414). */
    const METADATA = [
        'issuer' => self::BASEURL,
        'authorization_endpoint' => self::BASEURL . '/oauth/authorize',
        'token_endpoint' => self::BASEURL . '/oauth/token',
        'registration_endpoint' => self::BASEURL . '/oauth/register',
        'revocation_endpoint' => self::BASEURL . '/oauth/revoke',
        'scopes_supported' => ['@moodlenet/ed-resource:write.own', 'resources:read', 'resources:write'],
    ];

    /**
     * An administrator who has set the address.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
        set_config('baseurl', self::BASEURL, 'local_resourcerepo');
    }

    /**
     * Answers that nobody asked for are not for the next test.
     */
    protected function tearDown(): void {
        \local_resourcerepo\fake_catalogue::forget_answers();
        parent::tearDown();
    }

    /**
     * Answers that come one after the other.
     *
     * @param array|string ...$answers JSON objects, or texts
     * @return void
     */
    private function answers(...$answers): void {
        foreach (array_reverse($answers) as $answer) { // Moodle takes the last one first.
            \curl::mock_response(is_array($answer) ? json_encode($answer) : $answer);
        }
    }

    /**
     * The failure of a registration, which leaves nothing behind.
     *
     * @return failure
     */
    private function failing(): failure {
        try {
            registration::register();
        } catch (failure $failure) {
            $this->assertNull(registration::issuer());
            $this->assertSame([], api::get_all_issuers(true));
            return $failure;
        }
        $this->fail('It did not fail.');
    }

    /**
     * What is sent, by RFC 7591.
     */
    public function test_request(): void {
        global $CFG;
        $request = registration::request();
        $this->assertSame([$CFG->wwwroot . '/admin/oauth2callback.php'], $request['redirect_uris']);
        $this->assertSame(['authorization_code', 'refresh_token'], $request['grant_types']);
        $this->assertSame('resources:read resources:write', $request['scope']);
    }

    /**
     * What the repository answers is an OAuth 2 service of Moodle's, for services only.
     */
    public function test_register(): void {
        $this->answers(self::METADATA, ['client_id' => 'c0ffee', 'client_secret' => 'hush']);
        registration::register();
        $issuer = registration::issuer();
        $this->assertSame(['c0ffee', 'hush'], [$issuer->get('clientid'), $issuer->get('clientsecret')]);
        $this->assertSame(self::BASEURL, $issuer->get('baseurl'));
        $this->assertSame('', $issuer->get('loginscopesoffline'));
        $this->assertFalse($issuer->is_available_for_login());
        foreach (['authorization', 'token', 'revocation'] as $name) {
            $this->assertSame(self::METADATA["{$name}_endpoint"], $issuer->get_endpoint_url($name));
        }
    }

    /**
     * Registering anew leaves one service, and no tokens of the old one.
     */
    public function test_register_anew(): void {
        global $DB, $USER;
        $this->answers(self::METADATA, ['client_id' => 'one', 'client_secret' => 'hush']);
        $old = registration::register();
        $DB->insert_record('oauth2_refresh_token', (object) [
            'timecreated' => 1, 'timemodified' => 1, 'userid' => $USER->id, 'issuerid' => $old->get('id'),
            'token' => 'old', 'scopehash' => sha1('x'),
        ]);
        $this->answers(self::METADATA, ['client_id' => 'two', 'client_secret' => 'hush']);
        registration::register();
        $this->assertSame('two', registration::issuer()->get('clientid'));
        $this->assertCount(1, api::get_all_issuers(true));
        $this->assertSame(0, $DB->count_records('oauth2_refresh_token'));
        registration::forget();
        $this->assertNull(registration::issuer());
        $this->assertSame([], api::get_all_issuers(true));
        $this->assertSame(0, $DB->count_records('oauth2_endpoint'));
    }

    /**
     * A service of another repository, or one that was disabled, is none.
     */
    public function test_issuer(): void {
        $this->answers(self::METADATA, ['client_id' => 'one', 'client_secret' => 'hush']);
        $issuer = registration::register();
        set_config('baseurl', 'https://other.example.org', 'local_resourcerepo');
        $this->assertNull(registration::issuer());
        set_config('baseurl', self::BASEURL, 'local_resourcerepo');
        $this->assertNotNull(registration::issuer());
        api::disable_issuer($issuer->get('id'));
        $this->assertNull(registration::issuer());
    }

    /**
     * Answers that are refused, and why.
     *
     * @return array[]
     */
    public static function refused(): array {
        $client = ['client_id' => 'c0ffee', 'client_secret' => 'hush'];
        $without = function(string $name): array {
            return array_diff_key(self::METADATA, [$name => true]);
        };
        return [
            'a page' => [['<h1>It works!</h1>'], 'notarepository'],
            'somebody else' => [[['issuer' => 'https://evil.example'] + self::METADATA, $client], 'otherissuer'],
            'no issuer' => [[$without('issuer'), $client], 'otherissuer'],
            'no encryption' => [
                [['token_endpoint' => 'http://resources.example.org/oauth/token'] + self::METADATA, $client],
                'insecureendpoint',
            ],
            'no token' => [[$without('token_endpoint'), $client], 'notarepository'],
            'no registration' => [[$without('registration_endpoint'), $client], 'noregistration'],
            'too old' => [[['scopes_supported' => ['resources:read']] + self::METADATA, $client], 'missingscopes'],
            'no secret' => [[self::METADATA, ['client_id' => 'c0ffee']], 'notarepository'],
            'no JSON' => [[self::METADATA, 'Welcome!'], 'notarepository'],
        ];
    }

    /**
     * What cannot be used is refused before anything is made of it.
     *
     * @dataProvider refused
     * @param array $answers
     * @param string $reason
     */
    public function test_refused(array $answers, string $reason): void {
        $this->answers(...$answers);
        $this->assertSame($reason, $this->failing()->reason);
    }
}
