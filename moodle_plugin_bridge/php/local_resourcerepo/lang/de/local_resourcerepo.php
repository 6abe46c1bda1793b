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
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

defined('MOODLE_INTERNAL') || die();

$string['approval'] = 'Manche Repositorien lassen eine neue Website erst nach Freigabe durch ihre Administration zu. Wenn Lehrkräften das beim Verbinden ihres Kontos gesagt wird, bitten Sie dort um die Freigabe dieser Website.';
$string['baseurl'] = 'Adresse des Repositoriums';
$string['baseurl_desc'] = 'Zum Beispiel https://resources.example.org. Sie beginnt mit https, weil Zugangsschlüssel der Lehrkräfte dorthin gesendet werden. Wird sie geändert, muss diese Website neu registriert werden.';
$string['baseurl_invalid'] = 'Geben Sie eine Adresse ein, die mit https:// beginnt und weder Anmeldename noch Fragezeichen oder # enthält.';
$string['cachedef_listings'] = 'Seiten von Suchen im Repositorium';
$string['cachedef_vocabularies'] = 'Fächer, Stufen, Arten und Lizenzen, die das Repositorium kennt';
$string['connect'] = 'Mein Konto verbinden';
$string['connect_desc'] = 'Verbinden Sie Ihr Konto bei {$a}, um von hier aus Materialien zu teilen und Ihre eigenen Entwürfe zu erreichen. Sie melden sich dort an und erlauben es dieser Website; sie sieht Ihr Kennwort nie, und Sie können es jederzeit zurücknehmen.';
$string['connected'] = 'Ihr Konto ({$a}) ist verbunden.';
$string['connectedas'] = 'Sie sind mit {$a->host} als {$a->name} verbunden.';
$string['connection'] = 'Verbindung zum Repositorium';
$string['connection_desc'] = 'Speichern Sie zuerst die Adresse. Zum Suchen genügt das; damit Lehrkräfte teilen und ihre eigenen Entwürfe sehen können, registrieren Sie diese Website einmal.';
$string['disconnect'] = 'Trennen';
$string['disconnected'] = 'Ihr Konto ist nicht mehr verbunden.';
$string['failure_accessdenied'] = 'Sie haben dieser Website die Nutzung Ihres Kontos nicht erlaubt; es hat sich nichts geändert. Verbinden Sie es erneut, wenn das ein Versehen war.';
$string['failure_accountrequired'] = 'Dafür wird Ihr Konto beim Repositorium gebraucht. Es ist nicht verbunden, oder die Erlaubnis wurde zurückgenommen oder ist abgelaufen. Verbinden Sie Ihr Konto (Einstellungen > Mein Konto beim Material-Repositorium) und versuchen Sie es dann noch einmal.';
$string['failure_blocked'] = 'Diese Website erlaubt sich nicht, {$a->host} anzusprechen: Ihre cURL-Sicherheit sperrt den Host oder den Port. Bitten Sie Ihre Administration, das unter Website-Administration > Grundeinstellungen > Sicherheit > HTTP-Sicherheit zu erlauben.';
$string['failure_broken'] = 'Das Repositorium bei {$a->host} hat eine Störung. Versuchen Sie es in einigen Minuten noch einmal; bleibt es dabei, sagen Sie Ihrer Administration, wann es geschah.';
$string['failure_brokenoff'] = 'Die Verbindung zu {$a->host} ist unterwegs abgebrochen, und neue Versuche halfen nicht. Es wurde nichts behalten. Versuchen Sie es in einigen Minuten noch einmal.';
$string['failure_busy'] = 'Das Repositorium bei {$a->host} ist beschäftigt oder wird gewartet. Versuchen Sie es in {$a->minutes} min noch einmal. Es sagt: {$a->detail}';
$string['failure_connectionrefused'] = '{$a->host} hat Ihr Konto nicht verbunden. Vielleicht ist diese Website dort noch nicht freigegeben: Fragen Sie Ihre Administration. Sonst versuchen Sie es noch einmal.';
$string['failure_damaged'] = 'Die Datei, die ankam, ist nicht die angekündigte; sie wurde verworfen. Versuchen Sie es noch einmal; geschieht es wieder, sagen Sie es der Administration des Repositoriums.';
$string['failure_damagedupload'] = 'Die Datei wurde auf dem Weg zum Repositorium beschädigt; es wurde nichts geteilt. Versuchen Sie es noch einmal.';
$string['failure_downloadslow'] = 'Der Download war nach {$a->minutes} min nicht fertig und wurde beendet. Es wurde nichts behalten. Versuchen Sie es, wenn das Netz schneller ist, oder bitten Sie Ihre Administration um mehr Zeit in den Einstellungen des Material-Repositoriums.';
$string['failure_full'] = 'Das Repositorium bei {$a->host} hat keinen Platz mehr. Sagen Sie es dessen Administration, und versuchen Sie es später noch einmal.';
$string['failure_gone'] = 'Dieses Material wurde zurückgezogen. {$a->detail}';
$string['failure_insecureendpoint'] = 'Das Repositorium nennt eine Adresse ohne https ({$a->name}). Dorthin können keine Zugangsschlüssel gesendet werden: Bitten Sie dessen Administration, seine öffentliche Adresse zu prüfen.';
$string['failure_loggedinas'] = 'Sie sind als jemand anderes angemeldet. Das Konto dieser Person beim Repositorium gehört ihr allein.';
$string['failure_missingscopes'] = 'Das Repositorium bei {$a->host} bietet nicht, was dieses Plugin braucht ({$a->scopes}). Vielleicht ist es zu alt: Bitten Sie dessen Administration um eine Aktualisierung.';
$string['failure_noregistration'] = 'Das Repositorium bei {$a->host} nimmt keine Registrierungen von Websites an. Bitten Sie dessen Administration, sie zu erlauben. Suchen geht auch ohne.';
$string['failure_nospace'] = 'Die Datei kann auf dieser Website nicht geschrieben werden: Vielleicht ist der Datenträger voll. Sagen Sie es Ihrer Administration.';
$string['failure_notallowed'] = 'Sie dürfen von dieser Website aus kein Konto beim Repositorium verwenden. Fragen Sie Ihre Administration.';
$string['failure_notarepository'] = 'Was bei {$a->host} antwortet, ist kein Material-Repositorium oder keine Version, die dieses Plugin versteht. Bitten Sie Ihre Administration, die Adresse in den Einstellungen zu prüfen.';
$string['failure_notconfigured'] = 'Auf dieser Website ist kein Material-Repositorium eingerichtet. Bitten Sie Ihre Administration, seine Adresse unter Website-Administration > Plugins > Lokale Plugins > Material-Repositorium einzutragen.';
$string['failure_notfound'] = 'Dieses Material ist nicht zu finden. Vielleicht war es der Entwurf von jemand anderem, oder Ihr Konto ist nicht verbunden. Gehen Sie zurück und wählen Sie ein anderes.';
$string['failure_notpublic'] = 'Das ist ein Entwurf, den nur Sie sehen; er kann nicht verlinkt werden. Wählen Sie stattdessen eine Kopie der Datei, oder geben Sie ihn zuerst frei.';
$string['failure_notregistered'] = 'Diese Website ist beim Repositorium nicht registriert. Bitten Sie Ihre Administration, sie unter Website-Administration > Plugins > Lokale Plugins > Material-Repositorium zu registrieren.';
$string['failure_otherissuer'] = 'Das Repositorium nennt als seine Adresse {$a->issuer}, hier ist aber {$a->baseurl} eingestellt. Tragen Sie die Adresse ein, die es nennt, oder bitten Sie dessen Administration um Berichtigung.';
$string['failure_refused'] = 'Das Repositorium hat das abgelehnt. {$a->detail} {$a->advice}';
$string['failure_registrationclosed'] = 'Das Repositorium bei {$a->host} lässt Websites sich nicht selbst registrieren. Bitten Sie dessen Administration, das zu erlauben, und versuchen Sie es dann noch einmal.';
$string['failure_slow'] = 'Das Repositorium bei {$a->host} hat zu lange nicht geantwortet. Versuchen Sie es in einigen Minuten noch einmal.';
$string['failure_toolargehere'] = 'Diese Datei ist größer als das, was hier hinzugefügt werden kann ({$a->limit}). Bitten Sie Ihre Administration, die Grenze des Kurses oder der Website zu erhöhen, oder fügen Sie die Datei als Link hinzu.';
$string['failure_unreachable'] = 'Das Repositorium bei {$a->host} ist gerade nicht erreichbar. Versuchen Sie es in einigen Minuten noch einmal; bleibt es dabei, sagen Sie es Ihrer Administration.';
$string['failure_unreadable'] = 'Die Datei kann aus dem Dateispeicher dieser Website nicht gelesen werden. Sagen Sie es Ihrer Administration.';
$string['failure_untrusted'] = 'Die Identität von {$a->host} lässt sich nicht prüfen: Seinem Zertifikat wird hier nicht vertraut. Sagen Sie es Ihrer Administration; es wurde nichts gesendet.';
$string['forgetsite'] = 'Registrierung vergessen';
$string['forgetsite_confirm'] = 'Alle verbundenen Konten müssen dann neu verbunden werden. Fortfahren?';
$string['forgotten'] = 'Diese Website ist nicht mehr registriert. Suchen geht weiterhin.';
$string['myaccount'] = 'Mein Konto beim Material-Repositorium';
$string['nobaseurl'] = 'Es ist noch keine eingestellt.';
$string['notregistered'] = 'Diese Website ist nicht registriert.';
$string['oauthservices'] = 'OAuth-2-Dienste dieser Website';
$string['pluginname'] = 'Material-Repositorium';
$string['privacy:metadata:repository'] = 'Das Material-Repositorium, das die Administration eingerichtet hat: ein anderer Dienst.';
$string['privacy:metadata:repository:files'] = 'Dateien und Sicherungen, die jemand teilt, mit Titel, Beschreibung und Urhebern, die eingegeben werden. Sicherungen enthalten keine Nutzerdaten, wenn nicht ausdrücklich anders gewählt.';
$string['privacy:metadata:repository:search'] = 'Wonach jemand sucht, ohne Namen.';
$string['privacy:metadata:repository:token'] = 'Ein Zugangsschlüssel, an dem das Repositorium das eigene Konto dort erkennt, nachdem es erlaubt wurde.';
$string['registered'] = 'Diese Website ist registriert. Wenn das Repositorium neue Websites erst nach Freigabe zulässt, bitten Sie jetzt dessen Administration darum; dann können Lehrkräfte ihre Konten verbinden.';
$string['registeredas'] = 'Diese Website ist als Client {$a} registriert.';
$string['registersite'] = 'Diese Website registrieren';
$string['registersite_desc'] = 'Beim Registrieren erfährt das Repositorium Namen und Adresse dieser Website; was es antwortet, wird als OAuth-2-Dienst dieser Website aufbewahrt: Es gibt keinen Schlüssel zu kopieren. Danach können Lehrkräfte ihre eigenen Konten verbinden.';
$string['registration'] = 'Registrierung';
$string['resourcerepo:connect'] = 'Das eigene Konto beim Material-Repositorium verbinden';
$string['servicename'] = 'Material-Repositorium ({$a})';
$string['settings'] = 'Einstellungen';
$string['test_accounts'] = 'Websites können sich dort selbst registrieren, sodass Lehrkräfte ihre Konten verbinden können.';
$string['test_catalogue'] = 'Das Repositorium antwortet unter {$a->baseurl}. Es hat {$a->count} öffentliche Materialien.';
$string['test_noregistration'] = 'Das Repositorium nimmt keine Registrierungen von Websites an: Suchen geht, Teilen von hier aus nicht. Bitten Sie dessen Administration, sie zu erlauben.';
$string['test_notregistered'] = 'Diese Website ist noch nicht registriert. Mit „Diese Website registrieren“ ermöglichen Sie Lehrkräften, ihre Konten zu verbinden.';
$string['test_registered'] = 'Diese Website ist dort registriert. Ob sie noch freigegeben werden muss, zeigt sich beim Verbinden des ersten Kontos.';
$string['testconnection'] = 'Verbindung testen';
$string['transfertimeout'] = 'Zeit für eine Übertragung';
$string['transfertimeout_desc'] = 'Wie lange ein Download oder Upload dauern darf. Verbindungen, die hängen, werden früher aufgegeben. Eine Sicherung von 600 MB braucht etwa eine Minute bei 100 Mbit/s und zehn bei 8 Mbit/s.';
