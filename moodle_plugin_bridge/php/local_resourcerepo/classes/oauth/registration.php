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
use core\oauth2\issuer;
use local_resourcerepo\api\failure;
use local_resourcerepo\api\http;
use local_resourcerepo\connection;

/**
 * This site as software that the repository knows: registered by itself (RFC 7591), kept as an OAuth 2 service of Moodle.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class registration {
    /** @var string What teachers are asked to allow. */
    const SCOPES = 'resources:read resources:write';

    /**
     * The OAuth 2 service, as long as it is the one of the repository that is set.
     *
     * @return issuer|null null where this site is not registered, or the service was removed or disabled
     */
    public static function issuer(): ?issuer {
        $issuer = self::kept();
        if ($issuer === null || !$issuer->get('enabled') || !$issuer->is_configured() || !connection::is_configured()) {
            return null;
        }
        return $issuer->get('baseurl') === connection::baseurl() ? $issuer : null;
    }

    /**
     * Register this site, or register it anew: accounts that were connected have to be connected again then.
     *
     * @return issuer
     * @throws failure when the repository does not answer, does not take registrations, or refuses
     */
    public static function register(): issuer {
        $baseurl = connection::baseurl();
        $metadata = metadata::read($baseurl);
        $given = self::ask($baseurl, $metadata);
        self::forget();
        return self::keep($baseurl, $metadata, $given);
    }

    /**
     * Forget that this site is registered, with all accounts that are connected.
     *
     * @return void
     */
    public static function forget(): void {
        global $DB;
        $issuer = self::kept();
        if ($issuer !== null) {
            $DB->delete_records('oauth2_refresh_token', ['issuerid' => $issuer->get('id')]);
            $DB->delete_records('oauth2_access_token', ['issuerid' => $issuer->get('id')]);
            api::delete_issuer($issuer->get('id'));
        }
        unset_config('issuerid', 'local_resourcerepo');
    }

    /**
     * What is sent to register, as Moodle itself registers with a MoodleNet.
     *
     * @return array
     */
    public static function request(): array {
        global $CFG, $SITE;
        return [
            'client_name' => format_string($SITE->fullname, true, ['context' => \context_system::instance(), 'escape' => false]),
            'client_uri' => $CFG->wwwroot,
            'software_id' => 'moodle-local_resourcerepo',
            'software_version' => (string) get_config('local_resourcerepo', 'version'),
            'redirect_uris' => [client::callback_url()->out(false)],
            'token_endpoint_auth_method' => 'client_secret_post',
            'grant_types' => ['authorization_code', 'refresh_token'],
            'response_types' => ['code'],
            'scope' => self::SCOPES,
        ];
    }

    /**
     * Ask the repository to register this site.
     *
     * @param string $baseurl
     * @param metadata $metadata
     * @return \stdClass with client_id and client_secret
     */
    private static function ask(string $baseurl, metadata $metadata): \stdClass {
        $host = (object) ['host' => parse_url($baseurl, PHP_URL_HOST)];
        if (empty($metadata->endpoints['registration_endpoint'])) {
            throw new failure('noregistration', $host);
        }
        if ($missing = array_diff(explode(' ', self::SCOPES), $metadata->scopes)) {
            throw new failure('missingscopes', (object) ['host' => $host->host, 'scopes' => implode(', ', $missing)]);
        }
        try {
            $given = (new http($metadata->endpoints['registration_endpoint']))->send('POST', '', self::request());
        } catch (failure $failure) {
            throw self::explained($failure, $host);
        }
        foreach (['client_id', 'client_secret'] as $name) {
            if (!is_string($given->$name ?? null) || $given->$name === '') {
                throw new failure('notarepository', $host, "no {$name}");
            }
        }
        return $given;
    }

    /**
     * Make the OAuth 2 service and its endpoints.
     *
     * @param string $baseurl
     * @param metadata $metadata
     * @param \stdClass $given
     * @return issuer
     */
    private static function keep(string $baseurl, metadata $metadata, \stdClass $given): issuer {
        // Without a base address at first: Moodle would look for OpenID Connect there.
        $issuer = api::create_issuer((object) [
            'name' => get_string('servicename', 'local_resourcerepo', parse_url($baseurl, PHP_URL_HOST)),
            'image' => '',
            'baseurl' => '',
            'clientid' => $given->client_id,
            'clientsecret' => $given->client_secret,
            'loginscopes' => '',
            'loginscopesoffline' => '',
            'showonloginpage' => issuer::SERVICEONLY,
            'basicauth' => 0,
        ]);
        foreach ($metadata->endpoints as $name => $url) {
            api::create_endpoint((object) ['issuerid' => $issuer->get('id'), 'name' => $name, 'url' => $url]);
        }
        $issuer->set('baseurl', $baseurl);
        $issuer->set('scopessupported', implode(' ', $metadata->scopes));
        $issuer->update();
        set_config('issuerid', $issuer->get('id'), 'local_resourcerepo');
        return $issuer;
    }

    /**
     * The OAuth 2 service that was made, whatever became of it.
     *
     * @return issuer|null
     */
    private static function kept(): ?issuer {
        $id = (int) get_config('local_resourcerepo', 'issuerid');
        return $id ? (issuer::get_record(['id' => $id]) ?: null) : null;
    }

    /**
     * What a refused registration says (RFC 7591, section 3.2.2), for people.
     *
     * @param failure $failure
     * @param \stdClass $host
     * @return failure
     */
    private static function explained(failure $failure, \stdClass $host): failure {
        if ($failure->status === 403 || $failure->status === 401) {
            return new failure('registrationclosed', $host, $failure->debuginfo, $failure->status, $failure->problem);
        }
        return $failure;
    }
}
