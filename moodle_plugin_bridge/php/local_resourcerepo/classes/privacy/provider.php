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

namespace local_resourcerepo\privacy;

use core_privacy\local\metadata\collection;
use core_privacy\local\request\approved_contextlist;
use core_privacy\local\request\approved_userlist;
use core_privacy\local\request\contextlist;
use core_privacy\local\request\transform;
use core_privacy\local\request\userlist;
use core_privacy\local\request\writer;
use local_resourcerepo\job\job;
use local_resourcerepo\job\work;

/**
 * What of a user goes to the repository, and what is kept here for some days of what they shared and added. Tokens are kept
 * by Moodle's OAuth 2 services.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class provider implements
    \core_privacy\local\metadata\provider,
    \core_privacy\local\request\core_userlist_provider,
    \core_privacy\local\request\plugin\provider {
    /**
     * What goes where.
     *
     * @param collection $collection
     * @return collection
     */
    public static function get_metadata(collection $collection): collection {
        $collection->add_external_location_link('repository', [
            'token' => 'privacy:metadata:repository:token',
            'search' => 'privacy:metadata:repository:search',
            'files' => 'privacy:metadata:repository:files',
        ], 'privacy:metadata:repository');
        $collection->add_database_table(job::TABLE, [
            'kind' => 'privacy:metadata:job:kind',
            'userid' => 'privacy:metadata:job:userid',
            'courseid' => 'privacy:metadata:job:courseid',
            'title' => 'privacy:metadata:job:title',
            'request' => 'privacy:metadata:job:request',
            'state' => 'privacy:metadata:job:state',
            'message' => 'privacy:metadata:job:message',
            'result' => 'privacy:metadata:job:result',
            'made' => 'privacy:metadata:job:made',
            'timecreated' => 'privacy:metadata:job:timecreated',
        ], 'privacy:metadata:job');
        $collection->add_subsystem_link('core_files', [], 'privacy:metadata:files');
        return $collection;
    }

    /**
     * What a user shared and added is kept in their own context.
     *
     * @param int $userid
     * @return contextlist
     */
    public static function get_contexts_for_userid(int $userid): contextlist {
        $contextlist = new contextlist();
        if (job::record_exists_select('userid = ?', [$userid])) {
            $contextlist->add_user_context($userid);
        }
        return $contextlist;
    }

    /**
     * The user whose context it is, if there is something of theirs.
     *
     * @param userlist $userlist
     * @return void
     */
    public static function get_users_in_context(userlist $userlist) {
        $context = $userlist->get_context();
        if ($context instanceof \context_user && job::record_exists_select('userid = ?', [$context->instanceid])) {
            $userlist->add_user($context->instanceid);
        }
    }

    /**
     * What a user shared and added. The files are copies of what is in their courses.
     *
     * @param approved_contextlist $contextlist
     * @return void
     */
    public static function export_user_data(approved_contextlist $contextlist) {
        $userid = (int) $contextlist->get_user()->id;
        foreach ($contextlist->get_contexts() as $context) {
            if (!$context instanceof \context_user || (int) $context->instanceid !== $userid) {
                continue;
            }
            foreach (job::get_records(['userid' => $userid], 'id') as $job) {
                $at = [get_string('pluginname', 'local_resourcerepo'), $job->get('id')];
                writer::with_context($context)->export_data($at, (object) [
                    'kind' => $job->get('kind'),
                    'courseid' => $job->get('courseid'),
                    'title' => $job->get('title'),
                    'request' => $job->request(),
                    'state' => $job->get('state'),
                    'message' => $job->get('message'),
                    'result' => $job->result(),
                    'timecreated' => transform::datetime($job->get('timecreated')),
                ]);
            }
        }
    }

    /**
     * Forget what the user shared and added whose context it is.
     *
     * @param \context $context
     * @return void
     */
    public static function delete_data_for_all_users_in_context(\context $context) {
        if ($context instanceof \context_user) {
            self::forget((int) $context->instanceid);
        }
    }

    /**
     * Forget what a user shared and added.
     *
     * @param approved_contextlist $contextlist
     * @return void
     */
    public static function delete_data_for_user(approved_contextlist $contextlist) {
        $userid = (int) $contextlist->get_user()->id;
        foreach ($contextlist->get_contexts() as $context) {
            if ($context instanceof \context_user && (int) $context->instanceid === $userid) {
                self::forget($userid);
            }
        }
    }

    /**
     * Forget what users shared and added.
     *
     * @param approved_userlist $userlist
     * @return void
     */
    public static function delete_data_for_users(approved_userlist $userlist) {
        $context = $userlist->get_context();
        if ($context instanceof \context_user && in_array((int) $context->instanceid, $userlist->get_userids())) {
            self::forget((int) $context->instanceid);
        }
    }

    /**
     * Forget what a user shared and added, here. Their resources at the repository are theirs to withdraw there.
     *
     * @param int $userid
     * @return void
     */
    private static function forget(int $userid): void {
        foreach (job::get_records(['userid' => $userid]) as $job) {
            work::of($job)->tidy();
            $job->delete();
        }
    }
}
