"""First requests: shell commands that show a new user how to call the REST API."""

from deploy.local.config.endpoints import Endpoints


def first_requests(endpoints: Endpoints) -> str:
    """Return shell commands to copy: register, log in, create a task, list tasks."""
    return f"""
First requests to copy:

  URL={endpoints.gateway_url}
  curl -sS $URL/api/v1/register -H 'content-type: application/json' \\
    -d '{{"username":"sonu","email":"sonu@example.com","password":"test123","role":"user"}}'
  TOKEN=$(curl -sS $URL/api/v1/login -H 'content-type: application/json' \\
    -d '{{"email":"sonu@example.com","password":"test123"}}' | sed 's/.*"access_token": *"\\([^"]*\\)".*/\\1/')
  curl -sS $URL/api/v1/tasks -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \\
    -d '{{"title":"Try it out"}}'
  curl -sS $URL/api/v1/tasks -H "authorization: Bearer $TOKEN"

README.md has more: imports, a command-line client and gRPC.
Press Ctrl-C to stop everything.
"""
