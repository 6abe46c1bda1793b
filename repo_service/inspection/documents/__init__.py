"""Formats that are one text: questions, subtitles, notes."""
