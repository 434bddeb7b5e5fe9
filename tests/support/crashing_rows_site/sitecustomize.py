"""Python imports this module at each start when its folder is on the path."""

from tests.support import crashing_rows

crashing_rows.install()
