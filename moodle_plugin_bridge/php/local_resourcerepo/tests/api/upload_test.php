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

use local_resourcerepo\running_repository;

defined('MOODLE_INTERNAL') || die();

require_once(__DIR__ . '/../fixtures/running_repository.php');

/**
 * Uploads over a real socket that breaks.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_resourcerepo\api\upload
 */
final class upload_test extends \advanced_testcase {
    /** @var running_repository */
    private $repository;

    /**
     * Start a repository.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->repository = new running_repository();
    }

    /**
     * Stop it.
     */
    protected function tearDown(): void {
        $this->repository->stop();
        parent::tearDown();
    }

    /**
     * A file in Moodle's storage.
     *
     * @param string $content
     * @return \stored_file
     */
    private function file(string $content): \stored_file {
        return get_file_storage()->create_file_from_string([
            'contextid' => \context_system::instance()->id,
            'component' => 'local_resourcerepo',
            'filearea' => 'test',
            'itemid' => 0,
            'filepath' => '/',
            'filename' => 'backup.mbz',
        ], $content);
    }

    /**
     * An upload.
     *
     * @return upload
     */
    private function upload(): upload {
        return new upload(new http($this->repository->baseurl), 20);
    }

    /**
     * The file arrives as it is, under its name.
     */
    public function test_whole(): void {
        $content = random_bytes(1500000);
        $told = [];
        $id = $this->upload()->report_to(function(int $done, int $size) use (&$told): void {
            $told[] = [$done, $size];
        })->send($this->file($content), 'Übung.mbz');
        $this->assertTrue(client::is_id($id));
        $this->assertSame($content, file_get_contents($this->repository->state . '/tus'));
        $this->assertSame([1500000, 1500000], end($told));
        $announced = $this->repository->requests()[0]->headers;
        $this->assertSame('filename ' . base64_encode('Übung.mbz'), $announced->{'upload-metadata'});
    }

    /**
     * What broke off is taken up again where it broke.
     */
    public function test_breaks_once(): void {
        touch($this->repository->state . '/break-upload');
        $content = random_bytes(1500000);
        $this->upload()->send($this->file($content), 'backup.mbz');
        $this->assertSame($content, file_get_contents($this->repository->state . '/tus'));
        $offsets = [];
        foreach ($this->repository->requests() as $request) {
            if ($request->method === 'PATCH') {
                $offsets[] = $request->headers->{'upload-offset'};
            }
        }
        $this->assertSame(['0', '750000'], $offsets);
    }

    /**
     * A refusal comes before a byte is sent, with its reason.
     */
    public function test_quota(): void {
        try {
            $this->upload()->send($this->file(str_repeat('x', 5000001)), 'backup.mbz');
            $this->fail('It was not refused.');
        } catch (failure $failure) {
            $this->assertSame('quota-exceeded', $failure->problem);
            $this->assertStringContainsString('Your quota has room for 5 MB only.', $failure->getMessage());
        }
        $this->assertCount(1, $this->repository->requests());
    }

    /**
     * What arrived as something else is not shared, and taken away again.
     */
    public function test_damaged(): void {
        touch($this->repository->state . '/damage-upload');
        try {
            $this->upload()->send($this->file('content'), 'backup.mbz');
            $this->fail('It was taken.');
        } catch (failure $failure) {
            $this->assertSame('damagedupload', $failure->reason);
        }
        $this->assertFileDoesNotExist($this->repository->state . '/tus');
    }
}
