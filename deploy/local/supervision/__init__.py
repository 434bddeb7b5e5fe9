"""Supervision of processes: start, readiness, restart, stop and orphans."""
