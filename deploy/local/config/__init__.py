"""Settings of one run: command-line options, ports, credentials and endpoints."""
