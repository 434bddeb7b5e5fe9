"""The command `run`: the stack runs until it is stopped."""

from deploy.local.config.options import Options
from deploy.local.first_requests import first_requests
from deploy.local.stack import Announce, running_stack


async def run_stack(options: Options, *, announce: Announce) -> None:
    """Run the stack until it is cancelled. Raise LocalStackError if it cannot start or a process fails permanently."""
    async with running_stack(options, announce=announce) as stack:
        endpoints = stack.endpoints
        announce(
            f"ready: REST {endpoints.gateway_url}  auth {endpoints.auth_target}  tasks {endpoints.tasks_target}"
            f"  (details in {stack.endpoints_file})"
        )
        announce(first_requests(endpoints))
        await stack.supervisor.wait_for_failure()
