"""Reader of error bodies."""

import httpx2


def details(response: httpx2.Response) -> list[tuple[str, str | None]]:
    """Check the shape of an error body and return the reason and the field of each violation."""
    error = response.json()["error"]
    assert error["code"] == response.status_code
    assert error["request_id"] == response.headers["x-request-id"]
    assert error["details"]
    return [(detail["reason"], detail["field"]) for detail in error["details"]]
