"""Fixtures every test can use; each module of tests/support brings its own."""

# Those that others import come first: pytest rewrites the assertions of a module before it is imported.
pytest_plugins = [
    "tests.support.made_once",
    "tests.support.corpus",
    "tests.support.postgres",
    "tests.support.weed",
    "tests.support.ipfs",
    "tests.support.fake_ipfs",
    "tests.support.redis",
    "tests.support.browser",
    "tests.support.mail",
    "tests.support.provider",
    "tests.support.speech",
    "tests.support.service",
]
