"""Describes files: one parser a format, bytes in, Inspection out. No database, no web framework.

Start at ``registry.inspect``; ``serialise`` turns what it finds into JSON and into text for a search index.
"""
