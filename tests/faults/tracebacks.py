"""What the services' logs should not hold."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path


def where_logs_end(logs: Sequence[Path]) -> dict[Path, int]:
    return {log: log.stat().st_size for log in logs}


def tracebacks_since(ends: Mapping[Path, int]) -> list[str]:
    """Lines with a traceback, or of the level error, behind those ends."""
    found = []
    for log, end in ends.items():
        with log.open("rb") as lines:
            lines.seek(end)
            found += [
                f"{log.name}: {line}" for line in lines.read().decode(errors="replace").splitlines() if _is_bad(line)
            ]
    return found


def _is_bad(line: str) -> bool:
    if line.startswith("Traceback"):
        return True
    try:
        said = json.loads(line)
    except ValueError:
        return False  # Postgres and Valkey have their own ways
    return isinstance(said, dict) and ("exception" in said or said.get("level") in {"error", "critical"})
