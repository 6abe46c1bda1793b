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

/**
 * Strings in German.
 *
 * @package    repository_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

defined('MOODLE_INTERNAL') || die();

$string['allowlinks'] = 'Links erlauben';
$string['allowlinks_help'] = 'Lehrkräfte dürfen ein öffentliches Material auch verlinken oder seine Datei als Verknüpfung hinzufügen, die neuen Versionen folgt, statt sie zu kopieren. Links und Verknüpfungen enden, wenn das Material zurückgezogen wird.';
$string['cachedef_pages'] = 'Seiten des Repositoriums, die jemand gerade durchsieht';
$string['configplugin'] = 'Konfiguration des Material-Repositoriums';
$string['draft'] = '{$a} (Entwurf)';
$string['filter_level'] = 'Alle Stufen';
$string['filter_licence'] = 'Alle Lizenzen';
$string['filter_type'] = 'Alle Arten';
$string['folder_count'] = '{$a->label} ({$a->count})';
$string['folder_level'] = 'Stufen';
$string['folder_mine'] = 'Meine Materialien';
$string['folder_newest'] = 'Neueste';
$string['folder_subject'] = 'Fächer';
$string['folder_type'] = 'Arten';
$string['pluginname'] = 'Material-Repositorium';
$string['pluginname_help'] = 'Kurse, Aktivitäten und Dateien, die Lehrkräfte im Material-Repositorium miteinander teilen.';
$string['privacy:metadata'] = 'Die Dateiauswahl des Material-Repositoriums speichert keine personenbezogenen Daten. Was an das Repositorium gesendet wird, beschreibt das Plugin Material-Repositorium (local_resourcerepo).';
$string['resourcerepo:view'] = 'Das Material-Repositorium in Dateiauswahlen verwenden';
$string['sharedby'] = 'Geteilt von {$a}';
$string['use_h5pactivity'] = 'Wird im Kurs eine H5P-Aktivität';
$string['use_restore'] = 'Eine Sicherung zum Wiederherstellen';
$string['use_scorm'] = 'Wird im Kurs eine SCORM-Aktivität';
$string['whereset'] = 'Die Adresse des Repositoriums wird in den <a href="{$a}">Einstellungen des Material-Repositoriums</a> eingetragen.';
