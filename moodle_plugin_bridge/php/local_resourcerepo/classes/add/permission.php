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

namespace local_resourcerepo\add;

use local_resourcerepo\api\failure;

/**
 * What the current user may add to a course. Asked by the pages, and once more by who does the work: much may change meanwhile.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class permission {
    /** @var string[][] What is needed in the course, beside local/resourcerepo:add, for what kind of file. */
    const NEEDED = [
        'course' => ['moodle/restore:restorecourse', 'moodle/restore:uploadfile', 'moodle/course:manageactivities'],
        'section' => ['moodle/restore:restoresection', 'moodle/restore:uploadfile', 'moodle/course:manageactivities'],
        'activity' => ['moodle/restore:restoreactivity', 'moodle/restore:uploadfile', 'moodle/course:manageactivities'],
        'file' => ['moodle/course:manageactivities', 'mod/resource:addinstance'],
    ];

    /** @var string[] What is needed in a category for a new course in it. */
    const NEEDED_FOR_NEW = ['moodle/course:create', 'moodle/restore:restorecourse', 'moodle/restore:uploadfile'];

    /**
     * Whether anything may be added to a course.
     *
     * @param \context_course $context
     * @return bool
     */
    public static function any(\context_course $context): bool {
        if ((int) $context->instanceid === (int) SITEID) {
            return false;
        }
        return has_capability('local/resourcerepo:add', $context) && has_capability('moodle/course:manageactivities', $context);
    }

    /**
     * Whether a kind of file may be added to a course.
     *
     * @param string $kind course, section, activity or file
     * @param \context_course $context
     * @return bool
     */
    public static function allows(string $kind, \context_course $context): bool {
        return self::any($context) && has_all_capabilities(self::NEEDED[$kind], $context);
    }

    /**
     * Refuse who may not add a kind of file to a course.
     *
     * @param string $kind course, section, activity or file
     * @param \context_course $context
     * @return void
     * @throws failure
     */
    public static function require_allowed(string $kind, \context_course $context): void {
        if (!self::allows($kind, $context)) {
            throw new failure('addnotallowed', null, "{$kind} in context {$context->id}");
        }
    }

    /**
     * Where the user may make new courses of backups.
     *
     * @return string[] names of categories by id
     */
    public static function categories(): array {
        return \core_course_category::make_categories_list(self::NEEDED_FOR_NEW);
    }

    /**
     * Refuse who may not make a new course in a category.
     *
     * @param int $categoryid
     * @return void
     * @throws failure
     */
    public static function require_new_course(int $categoryid): void {
        $context = \context_coursecat::instance($categoryid, IGNORE_MISSING);
        if (!$context || !has_all_capabilities(self::NEEDED_FOR_NEW, $context)) {
            throw new failure('newcoursenotallowed');
        }
    }
}
