"""Run the client as `python -m taskmanager_cli`."""

from taskmanager_cli.app import main

main()
