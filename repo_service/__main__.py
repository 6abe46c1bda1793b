"""``python -m repo_service`` is the ``repo`` command."""

from repo_service.cli import main

main()
