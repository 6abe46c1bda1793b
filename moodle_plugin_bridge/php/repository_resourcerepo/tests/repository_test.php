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

namespace repository_resourcerepo;

use local_resourcerepo\api\failure;
use local_resourcerepo\fake_catalogue;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once($CFG->dirroot . '/local/resourcerepo/tests/fixtures/fake_catalogue.php');
require_once($CFG->dirroot . '/local/resourcerepo/tests/fixtures/fake_token_server.php');
require_once($CFG->dirroot . '/repository/lib.php');

/**
 * The plugin as Moodle calls it.
 *
 * @package    repository_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \repository_resourcerepo
 * @covers     \repository_resourcerepo\search_form
 */
final class repository_test extends \advanced_testcase {
    /** @var \repository_resourcerepo */
    private $repository;

    /**
     * The one instance there is.
     */
    protected function setUp(): void {
        global $DB;
        parent::setUp();
        $this->resetAfterTest();
        $this->setAdminUser();
        fake_catalogue::configure();
        $typeid = $DB->get_field('repository', 'id', ['type' => 'resourcerepo'], MUST_EXIST);
        $id = $DB->get_field('repository_instances', 'id', ['typeid' => $typeid], MUST_EXIST);
        $this->repository = \repository::get_repository_by_id($id, \context_system::instance());
    }

    /**
     * Answers that nobody asked for are not for the next test.
     */
    protected function tearDown(): void {
        fake_catalogue::forget_answers();
        parent::tearDown();
    }

    /**
     * A reference of a resource in somebody's drafts.
     *
     * @return \stored_file
     */
    private function reference(): \stored_file {
        global $USER;
        return get_file_storage()->create_file_from_reference([
            'contextid' => \context_user::instance($USER->id)->id, 'component' => 'user', 'filearea' => 'draft',
            'itemid' => file_get_unused_draft_itemid(), 'filepath' => '/', 'filename' => 'cells.mbz',
        ], $this->repository->id, item::source(fake_catalogue::ID));
    }

    /**
     * It is there once it is installed, for everybody who picks files.
     */
    public function test_installed(): void {
        $this->assertTrue($this->repository->check_login());
        $this->assertSame('*', $this->repository->supported_filetypes());
        $this->assertSame(FILE_INTERNAL | FILE_EXTERNAL | FILE_REFERENCE, $this->repository->supported_returntypes());
        set_config('allowlinks', 0, 'resourcerepo');
        $this->assertSame(FILE_INTERNAL, $this->repository->supported_returntypes());
    }

    /**
     * The source is an id and a page for people; no other source is taken.
     */
    public function test_source(): void {
        $source = item::source(fake_catalogue::ID);
        $this->assertSame($source, $this->repository->get_file_reference($source));
        $page = 'https://resources.example.org/resources/' . fake_catalogue::ID;
        $this->assertSame($page, $this->repository->get_file_source_info($source));
        $this->assertStringContainsString($page, $this->repository->get_reference_details($source));
        $this->expectException(failure::class);
        $this->repository->get_file_reference('https://evil.example/');
    }

    /**
     * A link leads to the page about the resource, whatever the repository says.
     */
    public function test_link(): void {
        fake_catalogue::answers(fake_catalogue::resource(['url' => 'javascript:alert(1)']));
        $page = 'https://resources.example.org/resources/' . fake_catalogue::ID;
        $this->assertSame($page, $this->repository->get_link(item::source(fake_catalogue::ID)));
    }

    /**
     * A file is written where Moodle wants it, whatever the repository calls it.
     */
    public function test_file_name_with_folders(): void {
        $version = ['file_name' => '../../escaped.php', 'size' => null, 'sha256' => null];
        fake_catalogue::answers(fake_catalogue::resource([], $version), ['a' => 'file']);
        $file = $this->repository->get_file(item::source(fake_catalogue::ID));
        $this->assertSame('file', basename($file['path']));
        $this->assertStringNotContainsString('..', $file['path']);
        $this->assertFileExists($file['path']);
    }

    /**
     * What a reference shows is fetched as everybody gets it: if the owner of a newer draft looks first, it stays a draft.
     */
    public function test_reference_without_account(): void {
        global $DB, $USER;
        \local_resourcerepo\oauth\fake_token_server::register($this);
        $DB->insert_record('oauth2_refresh_token', (object) [
            'timecreated' => 1, 'timemodified' => 1, 'userid' => $USER->id, 'token' => 'owner',
            'issuerid' => \local_resourcerepo\oauth\registration::issuer()->get('id'),
            'scopehash' => sha1(' ' . \local_resourcerepo\oauth\registration::SCOPES),
        ]);
        // A token for the owner's account would be asked for first.
        $tokens = ['access_token' => 'owner', 'expires_in' => 3600, 'refresh_token' => 'renewed'];
        $public = fake_catalogue::resource([], ['size' => null, 'sha256' => null]);
        fake_catalogue::answers($public, ['a' => 'file'], $tokens);
        $this->repository->get_file(item::source(fake_catalogue::ID));
        $this->assertSame('owner', $DB->get_field('oauth2_refresh_token', 'token', ['userid' => $USER->id]));
        // Who picks a file of theirs gets it by their account.
        fake_catalogue::forget_answers();
        fake_catalogue::answers($tokens, $public, ['a' => 'file']);
        $this->repository->get_file(item::source(fake_catalogue::ID), 'cells.mbz');
        $this->assertSame('renewed', $DB->get_field('oauth2_refresh_token', 'token', ['userid' => $USER->id]));
    }

    /**
     * A reference knows its size and date at once, and is not looked at again for a day.
     */
    public function test_sync_reference(): void {
        fake_catalogue::answers(fake_catalogue::resource());
        $file = $this->reference();
        $this->assertSame(12345, (int) $file->get_filesize());
        $this->assertSame(gmmktime(4, 5, 6, 2, 3, 2026), (int) $file->get_timemodified());
        fake_catalogue::answers(fake_catalogue::resource([], ['size' => 1]));
        $this->assertSame(12345, (int) $file->get_filesize());
        $this->assertFalse($this->repository->sync_reference($file));
    }

    /**
     * A new version replaces what is kept of the old one; the same one does not.
     */
    public function test_sync_new_version(): void {
        global $DB;
        fake_catalogue::answers(fake_catalogue::resource());
        $file = $this->reference();
        $file->get_filesize();
        $path = make_request_directory() . '/content';
        file_put_contents($path, str_repeat('x', 12345));
        $file->set_synchronised_content_from_file($path);
        $kept = $file->get_contenthash();
        $DB->set_field('files', 'timemodified', gmmktime(4, 5, 6, 2, 3, 2026), ['id' => $file->get_id()]);
        foreach ([['2026-02-03T04:05:06Z', $kept], ['2026-03-03T03:03:03Z', sha1('')]] as [$released, $contenthash]) {
            $DB->set_field('files_reference', 'lastsync', 1);
            $file = get_file_storage()->get_file_by_id($file->get_id());
            fake_catalogue::answers(fake_catalogue::resource([], ['released_at' => $released]));
            $this->assertTrue($this->repository->sync_reference($file));
            $this->assertSame($contenthash, $DB->get_field('files', 'contenthash', ['id' => $file->get_id()]));
        }
    }

    /**
     * While the repository cannot be asked, what is here stays.
     */
    public function test_sync_while_down(): void {
        fake_catalogue::take_down();
        $file = $this->reference();
        $this->assertFalse($this->repository->sync_reference($file));
        $this->assertSame(0, (int) $file->get_status());
    }

    /**
     * What cannot be shown to everybody cannot be a reference, and leaves none.
     */
    public function test_reference_of_draft(): void {
        fake_catalogue::take_down();
        $file = $this->reference();
        try {
            $this->repository->cache_file_by_reference(item::source(fake_catalogue::ID), $file);
            $this->fail('It was taken.');
        } catch (failure $failure) {
            $this->assertFalse(get_file_storage()->get_file_by_id($file->get_id()));
        }
    }

    /**
     * A search with its filters, whose next page knows what was searched for.
     */
    public function test_search(): void {
        $_POST['resourcerepo_type'] = 'course';
        $_POST['resourcerepo_level'] = 'level3"><script>';
        fake_catalogue::answers(fake_catalogue::found([fake_catalogue::resource()], 'next'), fake_catalogue::licences());
        $listing = $this->repository->search('Tom &amp; Ada', 0);
        $this->assertCount(1, $listing['list']);
        $last = search_form::query(null);
        $this->assertSame(['Tom & Ada', 'course', 'level3script', ''], array_values($last));
        fake_catalogue::answers(fake_catalogue::found([]));
        $this->assertSame(2, $this->repository->search('', 2)['page']);
    }

    /**
     * The form offers what there is; without the repository it has words alone.
     */
    public function test_search_form(): void {
        fake_catalogue::take_down();
        $form = $this->repository->print_search();
        $this->assertStringContainsString('name="s"', $form);
        $this->assertStringNotContainsString('<select', $form);
    }

    /**
     * Whose permission was taken back at the repository is offered to connect their account again.
     */
    public function test_mine_revoked(): void {
        global $DB, $USER;
        \local_resourcerepo\oauth\fake_token_server::register($this);
        $issuer = \local_resourcerepo\oauth\registration::issuer();
        $DB->insert_record('oauth2_refresh_token', (object) [
            'timecreated' => 1, 'timemodified' => 1, 'userid' => $USER->id, 'token' => 'revoked',
            'issuerid' => $issuer->get('id'), 'scopehash' => sha1(' ' . \local_resourcerepo\oauth\registration::SCOPES),
        ]);
        \curl::mock_response(json_encode(['error' => 'invalid_grant', 'error_description' => 'Revoked.']));
        $listing = $this->repository->get_listing('mine');
        $this->assertSame('popup', $listing['login'][0]->type);
        $this->assertStringStartsWith('https://resources.example.org/oauth/authorize?', $listing['login'][0]->url);
    }

    /**
     * One's own shares need an account; where this site is not registered that is said.
     */
    public function test_mine(): void {
        $this->expectException(failure::class);
        $this->expectExceptionMessage('not registered');
        $this->repository->get_listing('mine');
    }
}
