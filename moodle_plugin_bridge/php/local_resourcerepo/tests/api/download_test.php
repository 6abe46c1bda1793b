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
 * Downloads over a real socket that breaks.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_resourcerepo\api\download
 */
final class download_test extends \advanced_testcase {
    /** @var running_repository */
    private $repository;

    /** @var string Path of the file. */
    private $target;

    /** @var string What the file is. */
    private $content;

    /**
     * Start a repository.
     */
    protected function setUp(): void {
        parent::setUp();
        $this->resetAfterTest();
        $this->repository = new running_repository();
        $this->target = make_request_directory() . '/file';
        $this->content = str_repeat("The mitochondrion is the powerhouse of the cell.\n", 20000);
    }

    /**
     * Stop it.
     */
    protected function tearDown(): void {
        $this->repository->stop();
        parent::tearDown();
    }

    /**
     * A download.
     *
     * @param int $timeout
     * @return download
     */
    private function download(int $timeout = 20): download {
        return new download(new http($this->repository->baseurl), $timeout);
    }

    /**
     * A download that fails leaves nothing behind.
     *
     * @param download $download
     * @param string $path
     * @return failure
     */
    private function failing(download $download, string $path): failure {
        try {
            $download->to_file($path, $this->target);
        } catch (failure $failure) {
            $this->assertFileDoesNotExist($this->target);
            return $failure;
        }
        $this->fail('It did not fail.');
    }

    /**
     * Ways that lead to the whole file in the end, and how often was asked.
     *
     * @return array[]
     */
    public static function whole(): array {
        return [
            'at once' => ['/files/whole', 1],
            'broken off and taken up' => ['/files/breaks-once', 2],
            'broken off and begun again' => ['/files/knows-no-ranges', 2],
            'redirected' => ['/files/elsewhere', 2],
        ];
    }

    /**
     * The file arrives whole, and nothing is sent twice that needs not be.
     *
     * @dataProvider whole
     * @param string $path
     * @param int $requests
     */
    public function test_whole(string $path, int $requests): void {
        $told = [];
        $bytes = $this->download()->expect(strlen($this->content), hash('sha256', $this->content))
            ->report_to(function(int $done, ?int $size) use (&$told): void {
                $told[] = [$done, $size];
            })->to_file($path, $this->target);
        $this->assertSame(strlen($this->content), $bytes);
        $this->assertSame($this->content, file_get_contents($this->target));
        $this->assertSame([$bytes, $bytes], end($told));
        $this->assertCount($requests, $this->repository->requests());
    }

    /**
     * What is taken up again is asked for from where it broke, and only if it is still the same.
     */
    public function test_range(): void {
        $this->download()->to_file('/files/breaks-once', $this->target);
        $again = $this->repository->requests()[1]->headers;
        $this->assertSame('bytes=' . intdiv(strlen($this->content), 2) . '-', $again->range);
        $this->assertSame('"' . hash('sha256', $this->content) . '"', $again->{'if-range'});
    }

    /**
     * What became another file meanwhile is not put together of both.
     */
    public function test_changed_meanwhile(): void {
        $this->download()->to_file('/files/changes', $this->target);
        $this->assertSame(strrev($this->content), file_get_contents($this->target));
        unlink($this->repository->state . '/requests');
        $exact = $this->download()->expect(strlen($this->content), hash('sha256', $this->content));
        $this->assertSame('damaged', $this->failing($exact, '/files/changes')->reason);
    }

    /**
     * An empty file is a file.
     */
    public function test_empty(): void {
        $this->assertSame(0, $this->download()->expect(0, hash('sha256', ''))->to_file('/files/empty', $this->target));
        $this->assertFileExists($this->target);
    }

    /**
     * A connection that breaks for good is told so.
     */
    public function test_breaks_always(): void {
        $failure = $this->failing($this->download(), '/files/breaks-always');
        $this->assertSame('brokenoff', $failure->reason);
        $this->assertStringContainsString('Nothing was kept', $failure->getMessage());
    }

    /**
     * What does not have the digest that was announced, in the list or in the answer, is thrown away.
     */
    public function test_damaged(): void {
        $this->assertSame('damaged', $this->failing($this->download(), '/files/lies')->reason);
        $wrong = $this->download()->expect(null, hash('sha256', 'else'));
        $this->assertSame('damaged', $this->failing($wrong, '/files/whole')->reason);
        $longer = $this->download()->expect(strlen($this->content) - 1, null);
        $this->assertSame('damaged', $this->failing($longer, '/files/whole')->reason);
    }

    /**
     * What is too large for this site is refused before it is fetched, or as soon as it is known.
     */
    public function test_too_large(): void {
        $failure = $this->failing($this->download()->expect(2000, null)->limit(1999), '/files/whole');
        $this->assertSame('toolargehere', $failure->reason);
        $this->assertFileDoesNotExist($this->repository->state . '/requests');
        $this->assertSame('toolargehere', $this->failing($this->download()->limit(1999), '/files/whole')->reason);
    }

    /**
     * What goes on after the size that was announced is not kept until the disk is full.
     */
    public function test_more_than_announced(): void {
        $done = 0;
        $failure = $this->failing($this->download()->expect(2000, null)->report_to(function(int $bytes) use (&$done): void {
            $done = $bytes;
        }), '/files/without-end');
        $this->assertSame('damaged', $failure->reason);
        $this->assertLessThanOrEqual(2000, $done);
    }

    /**
     * A download has a time of its own.
     */
    public function test_stalls(): void {
        $begin = microtime(true);
        $failure = $this->failing($this->download(2), '/files/stalls');
        $this->assertContains($failure->reason, ['downloadslow', 'brokenoff']);
        $this->assertLessThan(4, microtime(true) - $begin);
    }

    /**
     * What is refused is told as it is.
     */
    public function test_refused(): void {
        $this->assertSame('gone', $this->failing($this->download(), '/answers/status/410')->reason);
    }
}
