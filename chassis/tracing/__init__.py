"""Distributed traces: OpenTelemetry's SDK, set up by its standard variables (docs/tracing.md)."""
