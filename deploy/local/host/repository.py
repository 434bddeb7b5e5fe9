"""Root directory of the repository, which child processes have as their Python path."""

from pathlib import Path

REPOSITORY_ROOT = Path(__file__).resolve().parents[3]
