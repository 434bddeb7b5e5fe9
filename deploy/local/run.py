"""Running the stack until somebody stops it."""

from deploy.local.config.endpoints import Endpoints
from deploy.local.config.options import Options
from deploy.local.stack import Announce, running_stack


async def run(options: Options, *, announce: Announce) -> None:
    """Runs the stack for as long as it can be kept running. Raises LocalStackError when it no longer can."""
    async with running_stack(options, announce=announce) as stack:
        endpoints = stack.endpoints
        announce(
            f"ready: REST {endpoints.gateway_url}  auth {endpoints.auth_target}  tasks {endpoints.tasks_target}"
            f"  (more in {stack.endpoints_file})"
        )
        announce(first_requests(endpoints))
        await stack.supervisor.until_failure()


def first_requests(endpoints: Endpoints) -> str:
    """Returns commands that somebody new can copy into a shell."""
    return f"""
First requests to copy:

  URL={endpoints.gateway_url}
  curl -s $URL/api/register -H 'content-type: application/json' \\
    -d '{{"username":"sonu","email":"sonu@example.com","password":"test123","role":"user"}}'
  TOKEN=$(curl -s $URL/api/login -H 'content-type: application/json' \\
    -d '{{"email":"sonu@example.com","password":"test123"}}' | sed 's/.*"access_token": *"\\([^"]*\\)".*/\\1/')
  curl -s $URL/api/tasks -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \\
    -d '{{"title":"Try it out"}}'
  curl -s $URL/api/tasks -H "authorization: Bearer $TOKEN"

Ctrl-C stops everything.
"""
