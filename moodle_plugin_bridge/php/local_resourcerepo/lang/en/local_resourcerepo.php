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
 * Strings in English.
 *
 * @package    local_resourcerepo
 * @copyright  2026 The Moodle resources repository contributors
 * @license    https://www.gnu.org/copyleft/gpl.html GNU GPL v3 or later
 */

defined('MOODLE_INTERNAL') || die();

$string['approval'] = 'Some repositories let a new site in only after their administrators have approved it. If teachers are told so when they connect their account, ask them to approve this site.';
$string['baseurl'] = 'Address of the repository';
$string['baseurl_desc'] = 'For example https://resources.example.org. It begins with https, because teachers\' tokens are sent there. After it changes, this site has to be registered again.';
$string['baseurl_invalid'] = 'Enter an address that begins with https:// and has no user name, question mark or # in it.';
$string['cachedef_listings'] = 'Pages of searches in the repository';
$string['cachedef_vocabularies'] = 'Subjects, levels, types and licences that the repository knows';
$string['connect'] = 'Connect my account';
$string['connect_desc'] = 'Connect your account at {$a} to share resources from here and to reach your own drafts. You sign in there and allow this site; it never sees your password, and you can take it back at any time.';
$string['connected'] = 'Your account ({$a}) is connected.';
$string['connectedas'] = 'You are connected to {$a->host} as {$a->name}.';
$string['connection'] = 'Connection to the repository';
$string['connection_desc'] = 'Save the address first. Searching needs no more; for teachers to share and to see their own drafts, register this site once.';
$string['disconnect'] = 'Disconnect';
$string['disconnected'] = 'Your account is not connected any more.';
$string['failure_accessdenied'] = 'You did not allow this site to use your account, so nothing has changed. Connect it again if that was a mistake.';
$string['failure_accountrequired'] = 'This needs your account at the repository, and it is not connected, or the permission was withdrawn or has run out. Connect your account (Preferences > My account at the resources repository), then do this again.';
$string['failure_blocked'] = 'This site does not allow itself to contact {$a->host}: its cURL security blocks the host or the port. Ask your administrator to allow it under Site administration > General > Security > HTTP security.';
$string['failure_broken'] = 'The repository at {$a->host} has a problem. Try again in a few minutes; if it stays, tell your administrator when it happened.';
$string['failure_brokenoff'] = 'The connection to {$a->host} broke off half-way, and trying again did not help. Nothing was kept. Try again in a few minutes.';
$string['failure_busy'] = 'The repository at {$a->host} is busy or being looked after. Try again in {$a->minutes} min. It says: {$a->detail}';
$string['failure_connectionrefused'] = '{$a->host} did not connect your account. Perhaps its administrators have not approved this site yet: ask your administrator. Otherwise try once more.';
$string['failure_damaged'] = 'The file that arrived is not the one that was announced, so it was thrown away. Try again; if it happens again, tell the administrators of the repository.';
$string['failure_damagedupload'] = 'The file was damaged on its way to the repository, so nothing was shared. Try again.';
$string['failure_downloadslow'] = 'The download was not complete after {$a->minutes} min and was stopped. Nothing was kept. Try again when the network is faster, or ask your administrator to allow more time in the settings of the resources repository.';
$string['failure_full'] = 'The repository at {$a->host} has no room left. Tell its administrators, and try again later.';
$string['failure_gone'] = 'This resource has been withdrawn. {$a->detail}';
$string['failure_insecureendpoint'] = 'The repository names an address that is not https ({$a->name}). Tokens cannot be sent there: tell its administrators to check its public address.';
$string['failure_loggedinas'] = 'You are logged in as somebody else. Their account at the repository is theirs alone.';
$string['failure_missingscopes'] = 'The repository at {$a->host} does not offer what this plugin needs ({$a->scopes}). It may be too old: ask its administrators to update it.';
$string['failure_noregistration'] = 'The repository at {$a->host} takes no registrations of sites. Ask its administrators to allow them. Searching works without.';
$string['failure_nospace'] = 'The file cannot be written on this site: its disk may be full. Tell your administrator.';
$string['failure_notallowed'] = 'You are not allowed to use an account at the repository from this site. Ask your administrator.';
$string['failure_notarepository'] = 'What answers at {$a->host} is not a resources repository, or not a version that this plugin understands. Ask your administrator to check the address in the settings.';
$string['failure_notconfigured'] = 'No resources repository is set up on this site. Ask your administrator to enter its address under Site administration > Plugins > Local plugins > Resources repository.';
$string['failure_notfound'] = 'This resource cannot be found. It may have been a draft of somebody else, or your account is not connected. Go back and choose another one.';
$string['failure_notpublic'] = 'This is a draft that only you can see, so it cannot be linked to. Choose "Make a copy of the file" instead, or release it first.';
$string['failure_notregistered'] = 'This site is not registered with the repository. Ask your administrator to register it under Site administration > Plugins > Local plugins > Resources repository.';
$string['failure_otherissuer'] = 'The repository says that its address is {$a->issuer}, but {$a->baseurl} is set here. Enter the address that it says, or ask its administrators to correct it.';
$string['failure_refused'] = 'The repository refused this. {$a->detail} {$a->advice}';
$string['failure_registrationclosed'] = 'The repository at {$a->host} does not let sites register themselves. Ask its administrators to allow it, then try again.';
$string['failure_slow'] = 'The repository at {$a->host} took too long to answer. Try again in a few minutes.';
$string['failure_toolargehere'] = 'This file is larger than what can be added here ({$a->limit}). Ask your administrator to raise the limit of the course or the site, or add the file as a link.';
$string['failure_unreachable'] = 'The repository at {$a->host} cannot be reached at the moment. Try again in a few minutes; if it stays like this, tell your administrator.';
$string['failure_unreadable'] = 'The file cannot be read from this site\'s file storage. Tell your administrator.';
$string['failure_untrusted'] = 'The identity of {$a->host} cannot be verified: its certificate is not trusted here. Tell your administrator; nothing was sent.';
$string['forgetsite'] = 'Forget the registration';
$string['forgetsite_confirm'] = 'All accounts that are connected will have to be connected again. Go on?';
$string['forgotten'] = 'This site is not registered any more. Searching goes on working.';
$string['myaccount'] = 'My account at the resources repository';
$string['nobaseurl'] = 'None is set yet.';
$string['notregistered'] = 'This site is not registered.';
$string['oauthservices'] = 'OAuth 2 services of this site';
$string['pluginname'] = 'Resources repository';
$string['privacy:metadata:repository'] = 'The resources repository that the administrator has set up, another service.';
$string['privacy:metadata:repository:files'] = 'Files and backups that a user shares, with the title, description and authors that they enter. Backups are made without users\' data unless the user chooses otherwise.';
$string['privacy:metadata:repository:search'] = 'What a user searches for, without their name.';
$string['privacy:metadata:repository:token'] = 'A token by which the repository knows the user\'s own account there, after the user has allowed it.';
$string['registered'] = 'This site is registered. If the repository lets in new sites only after approval, ask its administrators to approve it now; teachers can connect their accounts then.';
$string['registeredas'] = 'This site is registered as client {$a}.';
$string['registersite'] = 'Register this site';
$string['registersite_desc'] = 'Registering tells the repository this site\'s name and address, and keeps what it answers as an OAuth 2 service of this site: there is no key to copy. Teachers can then connect their own accounts.';
$string['registration'] = 'Registration';
$string['resourcerepo:connect'] = 'Connect one\'s own account at the resources repository';
$string['servicename'] = 'Resources repository ({$a})';
$string['settings'] = 'Settings';
$string['test_accounts'] = 'Sites can register themselves there, so that teachers can connect their accounts.';
$string['test_catalogue'] = 'The repository answers at {$a->baseurl}. It has {$a->count} public resources.';
$string['test_noregistration'] = 'The repository takes no registrations of sites: searching works, sharing from here does not. Ask its administrators to allow them.';
$string['test_notregistered'] = 'This site is not registered yet. Use "Register this site" to let teachers connect their accounts.';
$string['test_registered'] = 'This site is registered there. Whether it still has to be approved shows when the first account is connected.';
$string['testconnection'] = 'Test connection';
$string['transfertimeout'] = 'Time for a transfer';
$string['transfertimeout_desc'] = 'How long one download or upload may take. Connections that hang are given up sooner. A backup of 600 MB takes about a minute at 100 Mbit/s and ten at 8 Mbit/s.';
