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

namespace local_resourcerepo\share;

use local_resourcerepo\api\client;
use local_resourcerepo\api\failure;
use local_resourcerepo\job\progress;

/**
 * Shares something: has Moodle pack it, sends it, and describes it. What comes of it is a draft of the user's at the
 * repository, or a public resource if they wanted that and nothing stands against it.
 *
 * The request has kind and id (of the subject), description (for the repository) and release.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class work extends \local_resourcerepo\job\work {
    /** @var string What the backup is called while it waits. */
    const BACKUP = 'backup.mbz';

    /** @var int Seconds to wait for the repository to look into what it got: it is told there anyway. */
    const PATIENCE = 60;

    /** @var int Seconds between two questions. */
    const ASK_EVERY = 3;

    /**
     * Share it.
     *
     * @return void
     * @throws failure
     */
    public function run(): void {
        $request = $this->job->request();
        $client = $this->client(true); // Before Moodle packs for minutes.
        if (empty($this->job->result()->resource)) {
            $subject = subject::find($request->kind, (int) $request->id);
            $subject->require_allowed();
            $this->deliver($client, $subject, $request);
        }
        $this->conclude($client);
    }

    /**
     * A backup is made in one go or not at all, and what arrived half is thrown away by who sends it.
     *
     * @return void
     */
    public function undo(): void {
    }

    /**
     * To the resource, and back to what was shared.
     *
     * @return array[]
     */
    public function ways_on(): array {
        $ways = [];
        $result = $this->job->result();
        if (!empty($result->url)) {
            $label = get_string(empty($result->released) ? 'way_draft' : 'way_resource', 'local_resourcerepo');
            $ways[] = ['url' => $result->url, 'label' => $label];
        }
        try {
            $request = $this->job->request();
            $subject = subject::find($request->kind, (int) $request->id);
            $label = get_string('way_back', 'local_resourcerepo', $subject->name());
            $ways[] = ['url' => $subject->url()->out(false), 'label' => $label];
        } catch (failure $failure) {
            unset($failure); // It was deleted since.
        }
        return $ways;
    }

    /**
     * Pack, send and describe.
     *
     * @param client $client
     * @param subject $subject
     * @param \stdClass $request
     * @return void
     */
    private function deliver(client $client, subject $subject, \stdClass $request): void {
        $file = $this->kept_file(self::BACKUP);
        if ($file === null) {
            $this->job->report('pack', 0);
            $file = packer::pack(
                $subject,
                (int) $this->job->get('userid'),
                $this->file_record(self::BACKUP),
                new progress($this->job, 'pack')
            );
        }
        $resource = $this->job->get('attempts') > 1 ? $this->made_before($client, $file) : null;
        if ($resource === null) {
            $resource = $this->send($client, $file, $subject, $request);
        }
        $this->job->reached(['resource' => $resource->id, 'url' => self::checked_url($resource->url ?? '')]);
        $this->tidy();
    }

    /**
     * Send and describe.
     *
     * @param client $client
     * @param \stored_file $file
     * @param subject $subject
     * @param \stdClass $request
     * @return \stdClass the resource
     */
    private function send(client $client, \stored_file $file, subject $subject, \stdClass $request): \stdClass {
        $this->job->report('send', 0);
        $upload = $client->upload($file, packer::filename($subject), function(int $done, int $size): void {
            $this->job->report('send', (int) floor(100 * $done / max(1, $size)));
        });
        $this->job->report('describe', 0);
        $release = ['release' => !empty($request->release)];
        return $client->create_resource($upload, (array) $request->description + $release);
    }

    /**
     * The resource that an attempt before made of the same file, and whose answer was lost.
     *
     * @param client $client
     * @param \stored_file $file
     * @return \stdClass|null
     */
    private function made_before(client $client, \stored_file $file): ?\stdClass {
        $hash = hash_init('sha256');
        hash_update_stream($hash, $file->get_content_file_handle());
        $sha256 = hash_final($hash);
        foreach ($client->my_resources(20)->items as $resource) {
            if (in_array($sha256, array_column($resource->versions, 'sha256'), true)) {
                return $resource;
            }
        }
        return null;
    }

    /**
     * Wait a little for what the repository finds, and tell the user.
     *
     * @param client $client
     * @return void
     */
    private function conclude(client $client): void {
        $id = $this->job->result()->resource;
        $until = time() + self::PATIENCE;
        $this->job->report('inspect', 0);
        do {
            $resource = $client->resource($id);
            $version = end($resource->versions); // The first one: what was sent.
            $state = $version->processing->state ?? 'done';
            $this->job->report('inspect', (int) floor(100 * ($version->processing->progress ?? 0)));
            $released = !empty($resource->versions[0]->released_at);
            $ended = $state === 'failed' || ($state === 'done' && ($released || !$this->is_being_cleaned($client, $id, $version)));
        } while (!$ended && time() < $until && $this->pause());
        $this->job->reached(['released' => $released]);
        $this->job->finish($this->told($client, $resource, $version, $released));
    }

    /**
     * Whether the repository makes a clean copy of it, to release that.
     *
     * @param client $client
     * @param string $id
     * @param \stdClass $version
     * @return bool
     */
    private function is_being_cleaned(client $client, string $id, \stdClass $version): bool {
        if (empty($version->release_requested) && empty($this->job->request()->release)) {
            return false;
        }
        try {
            return in_array($client->cleaning($id, (int) $version->number)->state ?? '', ['queued', 'running'], true);
        } catch (failure $failure) {
            return false; // None was asked for.
        }
    }

    /**
     * How it ended, and what is left to do.
     *
     * @param client $client
     * @param \stdClass $resource
     * @param \stdClass $version
     * @param bool $released
     * @return string
     */
    private function told(client $client, \stdClass $resource, \stdClass $version, bool $released): string {
        $state = $version->processing->state ?? 'done';
        if ($released) {
            return get_string('shared_released', 'local_resourcerepo');
        }
        if ($state === 'failed') {
            $said = trim(clean_param((string) ($version->processing->reason ?? ''), PARAM_NOTAGS));
            return get_string('shared_failed', 'local_resourcerepo', $said);
        }
        if ($state !== 'done') {
            return get_string('shared_inspecting', 'local_resourcerepo');
        }
        $findings = $client->inspection($resource->id, (int) $version->number)->findings ?? [];
        $classes = array_count_values(array_column($findings, 'finding_class'));
        if (!empty($classes['blocking'])) {
            return get_string('shared_blocked', 'local_resourcerepo', $classes['blocking']);
        }
        if (!empty($version->release_refused->detail)) {
            return get_string('shared_refused', 'local_resourcerepo', clean_param($version->release_refused->detail, PARAM_NOTAGS));
        }
        if (!empty($classes['attribution'])) {
            return get_string('shared_confirm', 'local_resourcerepo', $classes['attribution']);
        }
        return get_string('shared_draft', 'local_resourcerepo');
    }

    /**
     * Wait a moment.
     *
     * @return bool true
     */
    private function pause(): bool {
        sleep(self::ASK_EVERY);
        return true;
    }

    /**
     * An address that a link may lead to.
     *
     * @param string $url
     * @return string
     */
    private static function checked_url(string $url): string {
        return preg_match('~\Ahttps://~i', $url) ? clean_param($url, PARAM_URL) : '';
    }
}
