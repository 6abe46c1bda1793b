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
 * Requests over a real socket.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 * @covers     \local_resourcerepo\api\http
 * @covers     \local_resourcerepo\api\curl_handle
 */
final class http_test extends \advanced_testcase {
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
     * What fails, and how.
     *
     * @param callable $what
     * @return failure
     */
    private function failing(callable $what): failure {
        try {
            $what();
        } catch (failure $failure) {
            return $failure;
        }
        $this->fail('It did not fail.');
    }

    /**
     * Lists are arguments given several times; what is not given is not sent.
     */
    public function test_query(): void {
        $query = ['q' => 'a&b ü', 'type' => ['course', 'text'], 'cursor' => null, 'level' => '', 'limit' => 5];
        $this->assertSame('?q=a%26b%20%C3%BC&type=course&type=text&limit=5', http::query($query));
        $this->assertSame('', http::query([]));
    }

    /**
     * Methods and bodies arrive.
     */
    public function test_methods(): void {
        $http = new http($this->repository->baseurl);
        $this->assertSame('/any?limit=5', $http->get('/any', ['limit' => 5])->uri);
        foreach (['POST', 'PUT', 'PATCH', 'DELETE'] as $method) {
            $echo = $http->send($method, '/any', ['title' => 'Zelle']);
            $this->assertSame($method, $echo->method);
            $this->assertSame('{"title":"Zelle"}', $echo->body);
            $this->assertNull($echo->authorisation);
        }
    }

    /**
     * A problem of the repository is a failure that says why.
     */
    public function test_problem(): void {
        $failure = $this->failing(function(): void {
            (new http($this->repository->baseurl))->get('/answers/status/422');
        });
        $this->assertSame([422, 'refused', 'some-code'], [$failure->status, $failure->reason, $failure->problem]);
        $this->assertStringContainsString('This is why. Do that.', $failure->getMessage());
    }

    /**
     * What is not an answer of a repository is called so; redirects are not followed, a token could go with them.
     */
    public function test_not_a_repository(): void {
        foreach (['/answers/page', '/answers/moved'] as $path) {
            $failure = $this->failing(function() use ($path): void {
                (new http($this->repository->baseurl))->get($path);
            });
            $this->assertSame('notarepository', $failure->reason);
        }
        $requests = $this->repository->requests();
        $this->assertSame('/answers/moved', end($requests)->uri);
    }

    /**
     * An answer without end is not kept in memory.
     */
    public function test_huge_answer(): void {
        $before = memory_get_usage();
        $failure = $this->failing(function(): void {
            (new http($this->repository->baseurl))->get('/answers/huge');
        });
        unset($failure);
        $this->assertLessThan(2 * http::MAX_ANSWER, memory_get_peak_usage() - $before);
        $this->assertLessThan(1048576, memory_get_usage() - $before);
    }

    /**
     * Who takes too long is not waited for.
     */
    public function test_late_answer(): void {
        $failure = $this->failing(function(): void {
            (new http($this->repository->baseurl, null, 1))->get('/answers/late');
        });
        $this->assertSame('slow', $failure->reason);
        $this->assertTrue($failure->transient);
    }

    /**
     * A repository that is down is told so.
     */
    public function test_down(): void {
        $this->repository->stop();
        $failure = $this->failing(function(): void {
            (new http($this->repository->baseurl))->get('/any');
        });
        $this->assertSame('unreachable', $failure->reason);
        $this->repository = new running_repository();
    }

    /**
     * Moodle's cURL security holds, and nothing is sent past it.
     */
    public function test_blocked(): void {
        set_config('curlsecurityblockedhosts', '127.0.0.1');
        $failure = $this->failing(function(): void {
            (new http($this->repository->baseurl))->get('/any');
        });
        $this->resetDebugging(); // Moodle tells developers.
        $this->assertSame('blocked', $failure->reason);
        $this->assertStringContainsString('HTTP security', $failure->getMessage());
        $this->assertFileDoesNotExist($this->repository->state . '/requests');
    }
}
