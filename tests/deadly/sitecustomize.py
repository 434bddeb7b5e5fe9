"""Imported by Python itself at each start where this folder is on its path: see tests.deadly_rows."""

from tests.deadly_rows import make_deadly

make_deadly()
