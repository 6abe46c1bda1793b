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
 * One download into a file: in blocks, in a time of its own, taken up again where the connection broke, and verified.
 *
 * Whole files are asked for without a token, so that they may be redirected to where the repository keeps them; those of
 * drafts by a signed address. With a token no redirect is followed.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class download {
    /** @var int Times in a row that a broken connection is tried again without a single new byte. */
    const ATTEMPTS = 3;

    /** @var int Bytes a second; slower than that for STALLED seconds is a connection that hangs. */
    const SLOWEST = 1024;

    /** @var int Seconds. */
    const STALLED = 30;

    /** @var http */
    private $http;

    /** @var int Seconds for all of it. */
    private $timeout;

    /** @var int Bytes that the site takes at the most; 0 for no limit. */
    private $maxbytes = 0;

    /** @var int|null Bytes that it has to have. */
    private $expectedsize = null;

    /** @var string SHA-256 in hexadecimal that it has to have, or empty. */
    private $expectedsha256 = '';

    /** @var int|null Bytes, as expected or as the answer announces. */
    private $size = null;

    /** @var string SHA-256 in hexadecimal, as expected or as the answer announces, or empty. */
    private $sha256 = '';

    /** @var string The tag of what is being downloaded: only the same is taken up again. */
    private $etag = '';

    /** @var int Bytes that are in the file. */
    private $done = 0;

    /** @var resource The file. */
    private $file;

    /** @var \HashContext|resource Of what is in the file. */
    private $hash;

    /** @var callable|null */
    private $progress = null;

    /** @var int|null Status of the answer that is being received, null before its first block. */
    private $status = null;

    /**
     * Constructor.
     *
     * @param http $http
     * @param int $timeout seconds for all of it
     */
    public function __construct(http $http, int $timeout) {
        $this->http = $http;
        $this->timeout = $timeout;
    }

    /**
     * What the file has to be.
     *
     * @param int|null $size bytes
     * @param string|null $sha256 in hexadecimal
     * @return self
     */
    public function expect(?int $size, ?string $sha256): self {
        $this->expectedsize = $size;
        $this->expectedsha256 = strtolower((string) $sha256);
        return $this;
    }

    /**
     * How large it may be.
     *
     * @param int $maxbytes 0 or less for no limit
     * @return self
     */
    public function limit(int $maxbytes): self {
        $this->maxbytes = max(0, $maxbytes);
        return $this;
    }

    /**
     * Whom to tell how far it is.
     *
     * @param callable|null $progress called as progress(int $done, ?int $size), in bytes, for each block
     * @return self
     */
    public function report_to(?callable $progress): self {
        $this->progress = $progress;
        return $this;
    }

    /**
     * Download.
     *
     * @param string $path below the repository's address, with arguments
     * @param string $target path of the file; it is overwritten, and it is not there when this fails
     * @return int bytes
     * @throws failure
     */
    public function to_file(string $path, string $target): int {
        $this->size = $this->expectedsize;
        $this->check_limit((int) $this->size);
        $this->file = fopen($target, 'wb');
        if ($this->file === false) {
            throw new failure('nospace', null, "cannot write {$target}");
        }
        try {
            $this->start_again();
            $this->receive($path, time() + $this->timeout);
            $this->verify();
            if (!fflush($this->file)) {
                throw new failure('nospace');
            }
            fclose($this->file);
        } catch (\Throwable $exception) {
            fclose($this->file);
            unlink($target);
            throw $exception;
        }
        return $this->done;
    }

    /**
     * Get all bytes into the file, in as many goes as it takes.
     *
     * @param string $path
     * @param int $deadline
     * @return void
     */
    private function receive(string $path, int $deadline): void {
        $attempts = self::ATTEMPTS;
        while (true) {
            $before = $this->done;
            try {
                $this->receive_once($path, $deadline);
                return;
            } catch (failure $failure) {
                $attempts = $this->done > $before ? self::ATTEMPTS : $attempts - 1;
                if (!$failure->transient || $attempts <= 0 || time() >= $deadline) {
                    throw $this->explained($failure);
                }
                // Somebody restarts the repository, or a network comes back.
                sleep(max(0, min($failure->retryafter ?: 1, 5, $deadline - time())));
            }
        }
    }

    /**
     * Get the bytes that are missing in one go.
     *
     * @param string $path
     * @param int $deadline
     * @return void
     */
    private function receive_once(string $path, int $deadline): void {
        $headers = ['Accept: */*'];
        if ($this->done > 0 && $this->etag !== '') {
            $headers[] = "Range: bytes={$this->done}-";
            $headers[] = "If-Range: {$this->etag}";
        } else if ($this->done > 0) {
            $this->start_again();
        }
        $this->status = null;
        $response = $this->http->request('GET', $path, $headers, [
            'CURLOPT_FOLLOWLOCATION' => $this->http->has_account() ? 0 : 1,
            'CURLOPT_MAXREDIRS' => 3,
            'CURLOPT_ENCODING' => 'identity', // Sizes and digests are those of the file, not of something compressed.
            'CURLOPT_TIMEOUT' => max(1, $deadline - time()),
            'CURLOPT_LOW_SPEED_LIMIT' => self::SLOWEST,
            'CURLOPT_LOW_SPEED_TIME' => self::STALLED,
        ], function(string $block, int $status, \curl $curl): bool {
            if ($this->status === null) {
                $this->status = $status;
                $this->begin($status, new response($status, $curl->getResponse(), ''));
            }
            $this->write($block);
            return true;
        });
        if ($this->status === null) {
            $this->begin($response->status, $response); // An empty file.
        }
        if ($this->size !== null && $this->done < $this->size) {
            throw new failure('brokenoff', (object) ['host' => $this->http->host()]);
        }
    }

    /**
     * Look at the headers before the first block.
     *
     * @param int $status
     * @param response $response
     * @return void
     */
    private function begin(int $status, response $response): void {
        if ($status === 206) {
            if (!preg_match('/^bytes ' . $this->done . '-/', $response->header('content-range'))) {
                throw new failure('damaged', null, 'another range: ' . $response->header('content-range'));
            }
            return;
        }
        if ($status !== 200) {
            throw new failure('broken', (object) ['host' => $this->http->host()], "unexpected status {$status}", $status);
        }
        if ($this->done > 0) {
            $this->start_again(); // It was sent from its beginning: it changed, or its place knows no ranges.
        }
        $etag = $response->header('etag');
        $this->etag = strpos($etag, '"') === 0 ? $etag : ''; // A weak tag does not promise the same bytes.
        $this->sha256 = $this->expectedsha256;
        if ($this->sha256 === '' && preg_match('~sha-256=:([A-Za-z0-9+/=]{44}):~', $response->header('repr-digest'), $found)) {
            $this->sha256 = bin2hex(base64_decode($found[1])); // RFC 9530.
        }
        $length = $response->header('content-length');
        $this->size = $this->expectedsize ?? (ctype_digit($length) ? (int) $length : null);
        $this->check_limit((int) $this->size);
    }

    /**
     * Take a block.
     *
     * @param string $block
     * @return void
     */
    private function write(string $block): void {
        $this->check_limit($this->done + strlen($block));
        if ($this->size !== null && $this->done + strlen($block) > $this->size) {
            throw new failure('damaged', null, "more than {$this->size} bytes"); // Not until the disk is full.
        }
        if (fwrite($this->file, $block) !== strlen($block)) {
            throw new failure('nospace');
        }
        hash_update($this->hash, $block);
        $this->done += strlen($block);
        if ($this->progress !== null) {
            ($this->progress)($this->done, $this->size);
        }
    }

    /**
     * Forget what was received.
     *
     * @return void
     */
    private function start_again(): void {
        ftruncate($this->file, 0);
        rewind($this->file);
        $this->hash = hash_init('sha256');
        $this->done = 0;
    }

    /**
     * Refuse what is too large for the site.
     *
     * @param int $bytes
     * @return void
     */
    private function check_limit(int $bytes): void {
        if ($this->maxbytes > 0 && $bytes > $this->maxbytes) {
            throw new failure('toolargehere', (object) ['limit' => display_size($this->maxbytes)]);
        }
    }

    /**
     * The file has to be what was announced.
     *
     * @return void
     */
    private function verify(): void {
        $is = hash_final($this->hash);
        if (($this->size !== null && $this->size !== $this->done) || ($this->sha256 !== '' && $this->sha256 !== $is)) {
            throw new failure('damaged', null, "{$this->done} bytes, SHA-256 {$is}");
        }
    }

    /**
     * The same failure, told as one of a download.
     *
     * @param failure $failure
     * @return failure
     */
    private function explained(failure $failure): failure {
        if ($this->done === 0 || !$failure->transient) {
            return $failure;
        }
        $reason = $failure->reason === 'slow' ? 'downloadslow' : 'brokenoff';
        $said = (object) ['host' => $this->http->host(), 'minutes' => (int) ceil($this->timeout / 60)];
        return new failure($reason, $said, $failure->debuginfo, $failure->status);
    }
}
