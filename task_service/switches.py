"""Switches of the service and their effects."""

from chassis.database.switches import READ_ONLY

IMPORTS_PAUSED = "imports_paused"

SWITCHES = {
    READ_ONLY: "every write is refused with 503; imports and background work stand still",
    IMPORTS_PAUSED: "imports wait; running ones stop after their current batch; files are still accepted",
}
