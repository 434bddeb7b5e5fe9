"""What the gateway says of a request that it refuses."""

import httpx2


def details(response: httpx2.Response) -> list[tuple[str, str | None]]:
    """The reason and the field of all that is wrong, in a body of the one shape."""
    error = response.json()["error"]
    assert error["code"] == response.status_code
    assert error["request_id"] == response.headers["x-request-id"]
    assert error["details"]
    return [(detail["reason"], detail["field"]) for detail in error["details"]]
