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

namespace local_resourcerepo\form;

use local_resourcerepo\share\description;

defined('MOODLE_INTERNAL') || die();

global $CFG;
require_once($CFG->libdir . '/formslib.php');

/**
 * What the user says of what they share.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */
class share_form extends \moodleform {
    /**
     * The fields.
     *
     * @return void
     */
    protected function definition() {
        $form = $this->_form;
        $component = 'local_resourcerepo';

        $form->addElement('text', 'title', get_string('title', $component), ['size' => 60, 'maxlength' => 500]);
        $form->setType('title', PARAM_TEXT);
        $form->addRule('title', null, 'required', null, 'client');

        $form->addElement('editor', 'summary', get_string('summary', $component), ['rows' => 6], ['maxfiles' => 0]);
        $form->setType('summary', PARAM_RAW); // It is cleaned before it is sent, and once more there.

        $licences = ['' => get_string('choosedots')] + description::licences();
        $form->addElement('select', 'licence', get_string('licence', $component), $licences);
        $form->addRule('licence', null, 'required', null, 'client');
        $form->addHelpButton('licence', 'licence', $component);

        $form->addElement('textarea', 'authors', get_string('authors', $component), ['rows' => 2, 'cols' => 60]);
        $form->setType('authors', PARAM_TEXT);
        $form->addHelpButton('authors', 'authors', $component);

        $languages = ['' => get_string('choosedots')] + get_string_manager()->get_list_of_languages(null, 'iso6391');
        $form->addElement('select', 'language', get_string('language', $component), $languages);

        $multiple = ['multiple' => true, 'noselectionstring' => get_string('nonechosen', $component)];
        foreach (['subjects' => 'subject', 'levels' => 'level'] as $name => $facet) {
            $options = description::options($facet);
            $form->addElement('autocomplete', $name, get_string($name, $component), $options, $multiple);
        }

        $form->addElement('text', 'keywords', get_string('keywords', $component), ['size' => 60]);
        $form->setType('keywords', PARAM_TEXT);
        $form->addHelpButton('keywords', 'keywords', $component);

        $form->addElement('advcheckbox', 'release', get_string('release', $component), get_string('release_desc', $component));
        $form->addElement('checkbox', 'checked', get_string('checked', $component), get_string('checked_desc', $component));
        $form->addRule('checked', get_string('checked_missing', $component), 'required', null, 'client');

        $this->add_action_buttons(true, get_string('share', $component));
    }
}
