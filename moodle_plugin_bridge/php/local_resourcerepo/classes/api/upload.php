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
 * One file on its way to the repository, by the tus protocol 1.0 (https://tus.io/protocols/resumable-upload): in blocks
 * from Moodle's file storage, taken up again where the connection broke, and compared by its SHA-256 at the end.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class upload {
    /** @var string Where uploads begin. */
    const PATH = '/api/v1/tus';

    /** @var int Times in a row that a broken connection is tried again without a single new byte. */
    const ATTEMPTS = 4;

    /** @var int Bytes read at a time where some have to be skipped. */
    const BLOCK = 262144;

    /** @var http */
    private $http;

    /** @var int Seconds for all of it. */
    private $timeout;

    /** @var callable|null */
    private $progress = null;

    /** @var int Bytes that the repository has. */
    private $offset = 0;

    /** @var \HashContext|resource Of what was read. */
    private $hash;

    /**
     * Constructor.
     *
     * @param http $http with an account
     * @param int $timeout seconds for all of it
     */
    public function __construct(http $http, int $timeout) {
        $this->http = $http;
        $this->timeout = $timeout;
    }

    /**
     * Whom to tell how far it is.
     *
     * @param callable|null $progress called as progress(int $done, int $size), in bytes, for each block
     * @return self
     */
    public function report_to(?callable $progress): self {
        $this->progress = $progress;
        return $this;
    }

    /**
     * Send a file.
     *
     * @param \stored_file $file
     * @param string $filename what it is to be called there; its ending says what it is
     * @return string the id by which a new resource or version takes it
     * @throws failure
     */
    public function send(\stored_file $file, string $filename): string {
        $size = $file->get_filesize();
        $deadline = time() + $this->timeout;
        $id = $this->begin($size, $filename);
        try {
            $this->send_all($file, $size, $id, $deadline);
            $this->verify($id, hash_final($this->hash));
        } catch (failure $failure) {
            $this->give_up($id);
            throw $failure;
        }
        return $id;
    }

    /**
     * Announce the file: size, quota and room are checked before a byte is sent.
     *
     * @param int $size
     * @param string $filename
     * @return string the id
     */
    private function begin(int $size, string $filename): string {
        $response = $this->http->request('POST', self::PATH, [
            'Tus-Resumable: 1.0.0',
            "Upload-Length: {$size}",
            'Upload-Metadata: filename ' . base64_encode($filename),
            'Content-Length: 0',
        ], ['CURLOPT_POSTFIELDS' => '']);
        $id = basename((string) parse_url($response->header('location'), PHP_URL_PATH));
        if ($response->status !== 201 || !client::is_id($id)) {
            throw new failure('notarepository', (object) ['host' => $this->http->host()], "no upload: {$response->status}");
        }
        return $id;
    }

    /**
     * Send all bytes, in as many goes as it takes.
     *
     * @param \stored_file $file
     * @param int $size
     * @param string $id
     * @param int $deadline
     * @return void
     */
    private function send_all(\stored_file $file, int $size, string $id, int $deadline): void {
        $this->offset = 0;
        $this->hash = hash_init('sha256');
        $attempts = self::ATTEMPTS;
        while ($this->offset < $size) {
            $before = $this->offset;
            try {
                $this->send_rest($file, $size, $id, $deadline);
            } catch (failure $failure) {
                if (!$failure->transient || --$attempts <= 0 || time() >= $deadline) {
                    throw $failure;
                }
                sleep(max(0, min($failure->retryafter ?: 1, 5, $deadline - time())));
                $this->offset = $this->where($id);
            }
            if ($this->offset > $before) {
                $attempts = self::ATTEMPTS;
            }
        }
    }

    /**
     * Send what the repository does not have.
     *
     * @param \stored_file $file
     * @param int $size
     * @param string $id
     * @param int $deadline
     * @return void
     */
    private function send_rest(\stored_file $file, int $size, string $id, int $deadline): void {
        $handle = null;
        $body = function() use ($file, $size, $deadline, &$handle): array {
            $handle = $file->get_content_file_handle();
            $this->hash = hash_init('sha256');
            $this->skip($handle, $this->offset);
            $done = $this->offset;
            $read = function($curl, $unused, int $length) use ($handle, $size, &$done): string {
                $block = (string) fread($handle, $length);
                hash_update($this->hash, $block);
                $done += strlen($block);
                if ($this->progress !== null) {
                    ($this->progress)($done, $size);
                }
                return $block;
            };
            return [
                'CURLOPT_UPLOAD' => 1,
                'CURLOPT_INFILESIZE' => $size - $this->offset,
                'CURLOPT_READFUNCTION' => $read,
                'CURLOPT_TIMEOUT' => max(1, $deadline - time()),
                'CURLOPT_LOW_SPEED_LIMIT' => download::SLOWEST,
                'CURLOPT_LOW_SPEED_TIME' => 2 * download::STALLED, // The repository may verify before it answers.
            ];
        };
        $response = $this->http->request('PATCH', self::PATH . '/' . $id, [
            'Tus-Resumable: 1.0.0',
            "Upload-Offset: {$this->offset}",
            'Content-Type: application/offset+octet-stream',
            'Expect:', // It has been allowed already: nobody needs to be asked again.
        ], $body);
        $this->offset = (int) $response->header('upload-offset');
    }

    /**
     * Read up to where the repository is; a remote file system may not be able to jump.
     *
     * @param resource $handle
     * @param int $bytes
     * @return void
     */
    private function skip($handle, int $bytes): void {
        while ($bytes > 0) {
            $block = (string) fread($handle, min($bytes, self::BLOCK));
            if ($block === '') {
                throw new failure('unreadable');
            }
            hash_update($this->hash, $block);
            $bytes -= strlen($block);
        }
    }

    /**
     * How many bytes the repository has.
     *
     * @param string $id
     * @return int
     */
    private function where(string $id): int {
        try {
            $response = $this->http->request('HEAD', self::PATH . '/' . $id, ['Tus-Resumable: 1.0.0']);
            return (int) $response->header('upload-offset');
        } catch (failure $failure) {
            if ($failure->transient) {
                return $this->offset; // Not there yet: the next attempt tells.
            }
            throw $failure;
        }
    }

    /**
     * What arrived has to be what was sent.
     *
     * @param string $id
     * @param string $sha256
     * @return void
     */
    private function verify(string $id, string $sha256): void {
        $there = $this->http->get("/api/v1/uploads/{$id}")->sha256 ?? null;
        if (is_string($there) && strtolower($there) !== $sha256) {
            throw new failure('damagedupload', null, "SHA-256 {$sha256}, there {$there}");
        }
    }

    /**
     * Let the repository throw away what arrived.
     *
     * @param string $id
     * @return void
     */
    private function give_up(string $id): void {
        try {
            $this->http->request('DELETE', self::PATH . '/' . $id, ['Tus-Resumable: 1.0.0']);
        } catch (failure $failure) {
            unset($failure); // The repository sweeps it by itself in a day.
        }
    }
}
