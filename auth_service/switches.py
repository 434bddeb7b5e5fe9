"""Switches of the service and their effects."""

from chassis.database.switches import READ_ONLY

SWITCHES = {
    READ_ONLY: "writes, logins and uses of personal access tokens are refused with 503; access tokens stay valid",
}
