"""Fixtures every test can use; each module of tests/support brings its own."""

pytest_plugins = ["tests.support.corpus", "tests.support.postgres", "tests.support.weed"]
