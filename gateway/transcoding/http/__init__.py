"""From google.api.http rules to routes and request messages."""
