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

use local_resourcerepo\connection;
use local_resourcerepo\oauth\account;

/**
 * The repository's REST API, as far as Moodle uses it: each method is one thing to ask for.
 *
 * All of them throw failure, whose message is a sentence for people that says what to do. What comes back is what the
 * repository's documentation describes (/api/docs/ there), decoded to objects.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class client {
    /** @var http */
    protected $http;

    /** @var http Without an account, for files. */
    protected $files;

    /** @var int Seconds for a whole download or upload. */
    protected $transfertimeout;

    /**
     * Constructor.
     *
     * @param string $baseurl address of the repository, without a slash at its end
     * @param account|null $account for whom; null for what is public
     * @param int $timeout seconds for an answer
     * @param int $transfertimeout seconds for a whole download or upload
     */
    public function __construct(
        string $baseurl,
        ?account $account = null,
        int $timeout = http::TIMEOUT,
        int $transfertimeout = connection::TRANSFER_TIMEOUT
    ) {
        $this->http = new http($baseurl, $account, $timeout);
        $this->files = new http($baseurl);
        $this->transfertimeout = $transfertimeout;
    }

    /**
     * For what is public.
     *
     * @param int $timeout seconds for an answer
     * @return self
     */
    public static function for_everybody(int $timeout = http::TIMEOUT): self {
        return new self(connection::baseurl(), null, $timeout, connection::transfer_timeout());
    }

    /**
     * For the current user, whose account is connected.
     *
     * @return self
     * @throws account_required when it is not
     */
    public static function for_user(): self {
        return new self(connection::baseurl(), account::required(), http::TIMEOUT, connection::transfer_timeout());
    }

    /**
     * For the current user if their account is connected, else for what is public.
     *
     * @return self
     */
    public static function for_whoever(): self {
        $account = account::current();
        $account = $account !== null && $account->is_connected() ? $account : null;
        return new self(connection::baseurl(), $account, http::TIMEOUT, connection::transfer_timeout());
    }

    /**
     * Whether this is the id of a resource or an upload, which are UUIDs.
     *
     * @param string $id
     * @return bool
     */
    public static function is_id(string $id): bool {
        return (bool) preg_match('/\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\z/i', $id);
    }

    // Finding.

    /**
     * Search the public resources.
     *
     * @param array $query q (words), type, subject, level, language, licence, moodle_release, module, file_type (codes or
     *      lists of them), facet (what to count)
     * @param int $limit at the most, 100 or fewer
     * @param string|null $cursor next_cursor of the page before
     * @return \stdClass with items, total, facets, next_cursor
     */
    public function search(array $query, int $limit = 20, ?string $cursor = null): \stdClass {
        return $this->http->get('/api/v1/resources', $query + ['limit' => $limit, 'cursor' => $cursor]);
    }

    /**
     * A code list with labels, such as isced-f-2013.
     *
     * @param string $name
     * @return \stdClass with concepts
     */
    public function vocabulary(string $name): \stdClass {
        return $this->http->get('/vocabularies/' . rawurlencode($name));
    }

    /**
     * The resources of the account, drafts included, newest first.
     *
     * @param int $limit at the most, 100 or fewer
     * @param string|null $cursor next_cursor of the page before
     * @return \stdClass with items, next_cursor
     */
    public function my_resources(int $limit = 20, ?string $cursor = null): \stdClass {
        return $this->http->get('/api/v1/me/resources', ['limit' => $limit, 'cursor' => $cursor]);
    }

    /**
     * The account itself.
     *
     * @return \stdClass with username, display_name, quota, used
     */
    public function me(): \stdClass {
        return $this->http->get('/api/v1/me');
    }

    /**
     * One resource with its versions, the newest first.
     *
     * @param string $id
     * @return \stdClass
     */
    public function resource(string $id): \stdClass {
        return $this->http->get(self::path($id));
    }

    // Looking inside.

    /**
     * What is inside a version's file: sections, activities, files, what it needs, what stands against its release.
     *
     * @param string $id
     * @param int $version
     * @return \stdClass
     */
    public function inspection(string $id, int $version): \stdClass {
        return $this->http->get(self::path($id, $version) . '/inspection');
    }

    /**
     * Whether a version would be restored on a site.
     *
     * @param string $id
     * @param int $version
     * @param array $site moodle (release), plugins, without, restorer: as the repository's documentation says
     * @return \stdClass with verdict, sentence, errors, warnings, losses
     */
    public function compatibility(string $id, int $version, array $site): \stdClass {
        return $this->http->get(self::path($id, $version) . '/compatibility', $site);
    }

    /**
     * Which licences are in a version's file.
     *
     * @param string $id
     * @param int $version
     * @return \stdClass
     */
    public function licences(string $id, int $version): \stdClass {
        return $this->http->get(self::path($id, $version) . '/licences');
    }

    // Downloading.

    /**
     * Download a version's file.
     *
     * @param \stdClass $resource as resource() and search() give it
     * @param \stdClass $version one of its versions
     * @param string $target path of the file; it is not there when this fails
     * @param int $maxbytes that the site takes; 0 or less for no limit
     * @param callable|null $progress called as progress(int $done, ?int $size), in bytes
     * @return int bytes
     */
    public function download(
        \stdClass $resource,
        \stdClass $version,
        string $target,
        int $maxbytes = 0,
        ?callable $progress = null
    ): int {
        $path = '/files/' . self::checked($resource->id) . '/' . (int) $version->number . '/' . rawurlencode($version->file_name);
        if (empty($version->released_at) || $resource->visibility !== 'public') {
            $link = $this->http->send('POST', self::path($resource->id, (int) $version->number) . '/download-link');
            $path .= '?' . parse_url((string) $link->url, PHP_URL_QUERY);
        }
        return $this->fetch($path, $target, $maxbytes, $progress, $version->size ?? null, $version->sha256 ?? null);
    }

    /**
     * Download one section of a backup with its activities, as a backup of its own.
     *
     * @param string $id
     * @param int $version
     * @param int $sectionid as the inspection gives it
     * @param string $target path of the file; it is not there when this fails
     * @param int $maxbytes that the site takes; 0 or less for no limit
     * @param callable|null $progress called as progress(int $done, ?int $size), in bytes
     * @return int bytes
     */
    public function download_section(
        string $id,
        int $version,
        int $sectionid,
        string $target,
        int $maxbytes = 0,
        ?callable $progress = null
    ): int {
        return $this->fetch(self::path($id, $version) . "/sections/{$sectionid}.mbz", $target, $maxbytes, $progress);
    }

    /**
     * Download one activity of a backup, as a backup of its own.
     *
     * @param string $id
     * @param int $version
     * @param int $activityid as the inspection gives it
     * @param string $target path of the file; it is not there when this fails
     * @param int $maxbytes that the site takes; 0 or less for no limit
     * @param callable|null $progress called as progress(int $done, ?int $size), in bytes
     * @return int bytes
     */
    public function download_activity(
        string $id,
        int $version,
        int $activityid,
        string $target,
        int $maxbytes = 0,
        ?callable $progress = null
    ): int {
        return $this->fetch(self::path($id, $version) . "/activities/{$activityid}.mbz", $target, $maxbytes, $progress);
    }

    // Sharing.

    /**
     * Send a file, in blocks. It belongs to nothing yet: create_resource() or add_version() takes it.
     *
     * @param \stored_file $file
     * @param string $filename what it is to be called there; its ending says what it is
     * @param callable|null $progress called as progress(int $done, int $size), in bytes
     * @return string id of the upload
     */
    public function upload(\stored_file $file, string $filename, ?callable $progress = null): string {
        return (new upload($this->http, $this->transfertimeout))->report_to($progress)->send($file, $filename);
    }

    /**
     * Make a new resource of an upload: a draft, until a version is released.
     *
     * @param string $upload id of the upload
     * @param array $description title, summary, licence, languages, subjects, levels, types, authors, keywords, release
     * @return \stdClass the resource
     */
    public function create_resource(string $upload, array $description): \stdClass {
        return $this->http->send('POST', '/api/v1/resources', ['upload' => $upload] + $description);
    }

    /**
     * Make a new version of a resource of an upload.
     *
     * @param string $id
     * @param string $upload id of the upload
     * @param array $edition change_note, release
     * @return \stdClass the resource
     */
    public function add_version(string $id, string $upload, array $edition = []): \stdClass {
        return $this->http->send('POST', self::path($id) . '/versions', ['upload' => $upload] + $edition);
    }

    /**
     * Change the description of a resource; what is left out stays.
     *
     * @param string $id
     * @param array $description as for create_resource()
     * @return \stdClass the resource
     */
    public function describe(string $id, array $description): \stdClass {
        return $this->http->send('PATCH', self::path($id), $description);
    }

    /**
     * Let the public read a version.
     *
     * @param string $id
     * @param int $version
     * @return \stdClass the resource
     */
    public function release(string $id, int $version): \stdClass {
        return $this->http->send('POST', self::path($id, $version) . '/release');
    }

    /**
     * Have a clean copy of a version made, without what stands against its release.
     *
     * @param string $id
     * @param int $version
     * @param bool $release release it as soon as nothing stands against it
     * @return \stdClass with state, progress, reason, version
     */
    public function clean(string $id, int $version, bool $release = false): \stdClass {
        return $this->http->send('POST', self::path($id, $version) . '/clean', ['release' => $release]);
    }

    /**
     * How far the clean copy is.
     *
     * @param string $id
     * @param int $version
     * @return \stdClass with state, progress, reason, version
     */
    public function cleaning(string $id, int $version): \stdClass {
        return $this->http->get(self::path($id, $version) . '/clean');
    }

    /**
     * Where a resource, or a version of it, is in the API.
     *
     * @param string $id
     * @param int|null $version
     * @return string
     */
    private static function path(string $id, ?int $version = null): string {
        return '/api/v1/resources/' . self::checked($id) . ($version === null ? '' : "/versions/{$version}");
    }

    /**
     * An id that can stand in an address: nobody leads this site elsewhere by it.
     *
     * @param string $id
     * @return string
     */
    private static function checked(string $id): string {
        if (!self::is_id($id)) {
            throw new failure('notfound', null, 'not an id');
        }
        return strtolower($id);
    }

    /**
     * Download from an address into a file.
     *
     * @param string $path
     * @param string $target
     * @param int $maxbytes
     * @param callable|null $progress
     * @param int|null $size
     * @param string|null $sha256
     * @return int bytes
     */
    private function fetch(
        string $path,
        string $target,
        int $maxbytes,
        ?callable $progress,
        ?int $size = null,
        ?string $sha256 = null
    ): int {
        // The parts of a draft have no signed address: the account is needed for them.
        $http = strpos($path, '/api/') === 0 ? $this->http : $this->files;
        $download = new download($http, $this->transfertimeout);
        return $download->expect($size, $sha256)->limit($maxbytes)->report_to($progress)->to_file($path, $target);
    }
}
