"""Tracebacks and errors in the services' logs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path


def log_sizes(logs: Sequence[Path]) -> dict[Path, int]:
    return {log: log.stat().st_size for log in logs}


def tracebacks_since(sizes: Mapping[Path, int]) -> list[str]:
    """Return lines with a traceback or of the level error, after the given sizes."""
    found = []
    for log, size in sizes.items():
        with log.open("rb") as lines:
            lines.seek(size)
            found += [
                f"{log.name}: {line}" for line in lines.read().decode(errors="replace").splitlines() if _is_bad(line)
            ]
    return found


def _is_bad(line: str) -> bool:
    if line.startswith("Traceback"):
        return True
    try:
        record = json.loads(line)
    except ValueError:
        return False  # Postgres and Valkey write other formats
    return isinstance(record, dict) and ("exception" in record or record.get("level") in {"error", "critical"})
