"""Health checks of a process over plain HTTP: /healthz, /readyz, /statusz and /metrics."""
