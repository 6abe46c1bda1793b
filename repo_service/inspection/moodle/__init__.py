"""Moodle's backups: 2.0 to 5.x (``moodle_backup.xml``) and 1.9 (``moodle.xml``)."""
