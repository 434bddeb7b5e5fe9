"""Print the OpenAPI document: `python -m gateway.commands.openapi`. `make openapi` writes it to docs/openapi.json."""

import json
import sys

from gateway.bootstrap import AUTH_SERVICES, TASKS_SERVICES, build_openapi_document
from gateway.transcoding.contract import read_rpcs


def render() -> str:
    """Return the document as the text of docs/openapi.json."""
    document = build_openapi_document(read_rpcs((*AUTH_SERVICES, *TASKS_SERVICES)))
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
