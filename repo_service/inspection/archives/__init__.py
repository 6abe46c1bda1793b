"""Archives read as streams of members: a zip by ranges, a tar.gz in one pass. Nothing is ever extracted."""
