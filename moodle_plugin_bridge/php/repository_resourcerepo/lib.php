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

/**
 * The resources repository in the file picker.
 *
 * @package    repository_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

use local_resourcerepo\api\account_required;
use local_resourcerepo\api\client;
use local_resourcerepo\api\failure;
use local_resourcerepo\oauth\account;
use repository_resourcerepo\browser;
use repository_resourcerepo\item;
use repository_resourcerepo\search_form;

defined('MOODLE_INTERNAL') || die();

require_once($CFG->dirroot . '/repository/lib.php');

/**
 * The resources repository in the file picker.
 *
 * What a picked file is told by ("source") is the id of its resource and nothing else: the address of the repository
 * is the administrator's, so that nobody can make this site fetch from elsewhere.
 *
 * @package    repository_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class repository_resourcerepo extends repository {
    /** @var int Bytes up to which a referenced file is kept here; larger ones are fetched from the repository by the browser. */
    const KEPT_BYTES = 104857600;

    /** @var int Seconds for which a reference is not looked at again. */
    const SYNCED_FOR = DAYSECS;

    /** @var bool Whether a reference is being synchronised: reading its size would do it again. */
    private static $syncing = false;

    /**
     * What there is in a folder.
     *
     * @param string $path
     * @param string $page number, empty for the first
     * @return array
     */
    public function get_listing($path = '', $page = '') {
        $path = (string) $path;
        try {
            return $this->framed((new browser($this->accepts()))->folder($path, max(1, (int) $page)));
        } catch (account_required $required) {
            return $this->print_login(); // For one's own shares: never connected, or the permission was taken back.
        }
    }

    /**
     * What is found.
     *
     * @param string $searchtext
     * @param int $page number, 0 or 1 for the first
     * @return array
     */
    public function search($searchtext, $page = 0) {
        $page = max(1, (int) $page);
        // The picker sends the form with the first page only.
        $query = search_form::query($page === 1 ? (string) $searchtext : null);
        return $this->framed((new browser($this->accepts()))->search($query, $page));
    }

    /**
     * The search form.
     *
     * @return string HTML
     */
    public function print_search() {
        return search_form::html();
    }

    /**
     * Nobody has to sign in to browse.
     *
     * @return bool
     */
    public function check_login() {
        return true;
    }

    /**
     * What to do for the folder of one's own shares.
     *
     * @return array
     */
    public function print_login() {
        $returnurl = new moodle_url('/repository/repository_callback.php', [
            'callback' => 'yes',
            'repo_id' => $this->id,
            'sesskey' => sesskey(),
        ]);
        $account = account::current($returnurl);
        if ($account === null) {
            throw new failure('notregistered');
        }
        $button = (object) ['type' => 'popup', 'url' => $account->login_url()->out(false)];
        return $this->framed(['login' => [$button], 'path' => browser::breadcrumb(browser::MINE)]);
    }

    /**
     * The user has come back from the repository's page, in the pop-up.
     *
     * @return void
     */
    public function callback() {
        $account = account::current();
        if ($account !== null) {
            $account->is_connected(); // Fetches the token.
        }
    }

    /**
     * Disconnect one's account.
     *
     * @return array
     */
    public function logout() {
        $account = account::current();
        if ($account !== null) {
            $account->disconnect();
        }
        return self::prepare_listing($this->get_listing());
    }

    /**
     * Fetch a file.
     *
     * The picker names the file, and whoever picks gets what they may see. Moodle does not name it where it fetches what a
     * reference shows to everybody, for whoever happens to look first: that may be the owner, who has newer drafts.
     *
     * @param string $reference
     * @param string $filename
     * @return array with path and url
     */
    public function get_file($reference, $filename = '') {
        $client = $filename === '' ? client::for_everybody() : client::for_whoever();
        $resource = $client->resource(item::id($reference));
        $version = item::newest($resource);
        $path = $this->prepare_file(''); // Names from elsewhere may lead out of the folder: Moodle takes them as they are.
        // A long download is not to lock the user's other pages.
        \core\session\manager::write_close();
        core_php_time_limit::raise();
        $client->download($resource, $version, $path, $this->limit());
        return ['path' => $path, 'url' => item::page($resource->id)];
    }

    /**
     * What is kept of a reference, and what a file is fetched by.
     *
     * @param string $source
     * @return string
     */
    public function get_file_reference($source) {
        return item::source(item::id((string) $source));
    }

    /**
     * Where a file comes from, for people and for attribution.
     *
     * @param string $source
     * @return string
     */
    public function get_file_source_info($source) {
        return item::page(item::id((string) $source));
    }

    /**
     * The page about the resource: it says who made it and under which licence, and it has the file.
     *
     * @param string $reference
     * @return string
     */
    public function get_link($reference) {
        return item::page($this->public_resource($reference)->id);
    }

    /**
     * Where a reference leads to, for people.
     *
     * @param string $reference
     * @param int $filestatus 0, or 666 when the source is missing
     * @return string
     */
    public function get_reference_details($reference, $filestatus = 0) {
        $page = item::page(item::id((string) $reference));
        return $filestatus ? get_string('lostsource', 'repository', $page) : $this->get_name() . ': ' . $page;
    }

    /**
     * A file was picked as a reference: what only its owner may see cannot be one.
     *
     * @param string $reference
     * @param stored_file $storedfile
     * @return void
     */
    public function cache_file_by_reference($reference, $storedfile) {
        try {
            $this->public_resource($reference);
        } catch (failure $failure) {
            $storedfile->delete();
            throw $failure;
        }
    }

    /**
     * Serve a referenced file: from here when it is small enough to be kept, else from the repository.
     *
     * @param stored_file $storedfile
     * @param int|null $lifetime
     * @param int $filter
     * @param bool $forcedownload
     * @param array|null $options
     * @return void
     */
    public function send_file($storedfile, $lifetime = null, $filter = 0, $forcedownload = false, ?array $options = null) {
        $this->sync_reference($storedfile);
        if ($storedfile->get_status()) {
            throw new failure('gone', (object) ['detail' => '']);
        }
        if ($storedfile->get_filesize() > self::KEPT_BYTES) {
            $resource = $this->public_resource($storedfile->get_reference());
            redirect(item::download_url($resource, item::newest($resource)));
        }
        $this->import_external_file_contents($storedfile);
        \core\session\manager::write_close();
        send_stored_file($storedfile, $lifetime, $filter, $forcedownload, ['sendcachedexternalfile' => true] + (array) $options);
    }

    /**
     * Look once a day whether a reference's file has changed or is gone.
     *
     * @param stored_file $file
     * @return bool whether it was looked at
     */
    public function sync_reference(stored_file $file) {
        global $CFG;
        if (self::$syncing || $file->get_referencelastsync() + self::SYNCED_FOR > time()) {
            return false;
        }
        self::$syncing = true;
        try {
            $timeout = max(3, (int) $CFG->repositorysyncfiletimeout);
            $resource = client::for_everybody($timeout)->resource(item::id($file->get_reference()));
            $version = item::newest($resource);
            $changed = strtotime($version->released_at);
            // A version never changes: the same one needs not be fetched again.
            $contenthash = (int) $file->get_timemodified() === $changed ? null : \file_storage::hash_from_string('');
            $file->set_synchronized($contenthash, (int) $version->size, 0, $changed);
        } catch (failure $failure) {
            if (!in_array($failure->reason, ['gone', 'notfound', 'notpublic'], true)) {
                return false; // It cannot be asked now. What is here goes on being served.
            }
            $file->set_missingsource();
        } finally {
            self::$syncing = false;
        }
        return true;
    }

    /**
     * Copies always; links and references as the administrator decided.
     *
     * @return int
     */
    public function supported_returntypes() {
        $links = get_config('resourcerepo', 'allowlinks');
        return FILE_INTERNAL | ($links === false || $links ? FILE_EXTERNAL | FILE_REFERENCE : 0);
    }

    /**
     * Any file.
     *
     * @return string
     */
    public function supported_filetypes() {
        return '*';
    }

    /**
     * What is one's own is not shown to who is logged in as somebody: see account::current().
     *
     * @return bool
     */
    public function contains_private_data() {
        return false;
    }

    /**
     * Names of the settings.
     *
     * @return string[]
     */
    public static function get_type_option_names() {
        return array_merge(parent::get_type_option_names(), ['allowlinks']);
    }

    /**
     * The settings.
     *
     * @param MoodleQuickForm $mform
     * @param string $classname
     * @return void
     */
    public static function type_config_form($mform, $classname = 'repository') {
        parent::type_config_form($mform, $classname);
        $url = new moodle_url('/admin/settings.php', ['section' => 'local_resourcerepo']);
        $mform->addElement('static', 'connection', '', get_string('whereset', 'repository_resourcerepo', $url->out()));
        $mform->addElement('advcheckbox', 'allowlinks', get_string('allowlinks', 'repository_resourcerepo'));
        $mform->addHelpButton('allowlinks', 'allowlinks', 'repository_resourcerepo');
        $links = get_config('resourcerepo', 'allowlinks');
        $mform->setDefault('allowlinks', $links === false ? 1 : (int) $links);
    }

    /**
     * A list with what the picker needs to know around it.
     *
     * @param array $listing
     * @return array
     */
    private function framed(array $listing): array {
        $mine = ($listing['path'][1]['path'] ?? '') === browser::MINE && !isset($listing['login']);
        return $listing + [
            'list' => [],
            'dynload' => true,
            'nologin' => !$mine,
            'logouttext' => get_string('disconnect', 'local_resourcerepo'),
            'nosearch' => false,
            'norefresh' => false,
            'manage' => \local_resourcerepo\connection::is_configured() ? \local_resourcerepo\connection::baseurl() : null,
        ];
    }

    /**
     * Which files the form takes.
     *
     * @return string[]|null endings with their dots in lower case, null for all
     */
    private function accepts(): ?array {
        $types = optional_param_array('accepted_types', $this->options['mimetypes'] ?? '*', PARAM_RAW);
        if (!is_array($types) || !$types || in_array('*', $types, true)) {
            return null;
        }
        return array_map('strtolower', file_get_typegroup('extension', $types)) ?: null;
    }

    /**
     * How large a file may be where it is added.
     *
     * @return int bytes, -1 for no limit
     */
    private function limit(): int {
        global $CFG;
        $course = $this->context->get_course_context(false);
        $coursemaxbytes = $course ? get_course($course->instanceid)->maxbytes : 0;
        $formmaxbytes = optional_param('maxbytes', 0, PARAM_INT);
        return (int) get_user_max_upload_file_size($this->context, $CFG->maxbytes, $coursemaxbytes, $formmaxbytes);
    }

    /**
     * A resource that everybody may see.
     *
     * @param string $reference
     * @return stdClass
     * @throws failure
     */
    private function public_resource(string $reference): stdClass {
        try {
            $resource = client::for_everybody()->resource(item::id($reference));
        } catch (failure $failure) {
            throw $failure->reason === 'notfound' ? new failure('notpublic') : $failure;
        }
        return $resource;
    }
}
