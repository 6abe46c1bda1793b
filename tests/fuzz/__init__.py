"""Fuzzing of all that reads and writes backups: ``python -m tests.fuzz``."""
