"""Sessions over REST and across processes: what one service revokes, the others refuse within seconds."""

import time

import httpx2 as httpx
import pytest


@pytest.fixture
def login(stack, user):
    email = user.http.get("/api/v1/me").json()["email"]
    response = httpx.post(f"{stack.url}/api/login", json={"email": email, "password": "test123"}, timeout=60)
    assert response.status_code == 200
    assert list(response.json()) == ["access_token", "refresh_token", "token_type", "expires_in", "user"]
    return response.json()


def bearer(tokens) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens['access_token']}"}


def wait_until_refused(url, headers) -> str:
    """Repeat a call until it is refused; return the reason."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        response = httpx.get(url, headers=headers)
        if response.status_code != 200:
            assert response.status_code == 401
            return response.json()["error"]["details"][0]["reason"]
        time.sleep(0.05)
    pytest.fail("the call was not refused in time")


def test_refresh_token_reuse_ends_the_session(stack, login):
    """A refresh token works once; its second use ends the session at every service."""
    body = {"refresh_token": login["refresh_token"]}
    refreshed = httpx.post(f"{stack.url}/api/v1/token:refresh", json=body)
    assert refreshed.status_code == 200
    assert refreshed.json()["user"] == login["user"]
    assert httpx.get(f"{stack.url}/api/tasks", headers=bearer(refreshed.json())).status_code == 200
    reused = httpx.post(f"{stack.url}/api/v1/token:refresh", json=body)
    assert reused.status_code == 401
    assert reused.json()["error"]["details"][0]["reason"] == "INVALID_REFRESH_TOKEN"
    assert wait_until_refused(f"{stack.url}/api/tasks", bearer(refreshed.json())) == "TOKEN_REVOKED"


def test_logout_takes_effect_at_every_service(stack, login):
    response = httpx.post(f"{stack.url}/api/v1/logout", headers=bearer(login))
    assert (response.status_code, response.json()) == (200, {})
    for path in ("/api/tasks", "/api/v1/me"):
        assert wait_until_refused(stack.url + path, bearer(login)) == "TOKEN_REVOKED"


def test_sessions_are_listed_and_revoked_one_by_one(stack, user, login):
    found = user.http.get("/api/v1/me/sessions").json()
    assert [session["current"] for session in found["sessions"]] == [False, True]
    assert user.http.delete(f"/api/v1/me/sessions/{found['sessions'][0]['id']}").json() == {}
    assert wait_until_refused(f"{stack.url}/api/tasks", bearer(login)) == "TOKEN_REVOKED"
    assert user.http.get("/api/tasks").status_code == 200


def test_password_change_needs_the_current_password(stack, user, login):
    wrong = {"current_password": "wrong", "new_password": "test1234"}
    refused = user.http.post("/api/v1/me:changePassword", json=wrong)
    assert refused.status_code == 400
    assert refused.json()["error"]["details"][0]["field"] == "current_password"
    changed = user.http.post("/api/v1/me:changePassword", json={**wrong, "current_password": "test123"})
    assert changed.status_code == 200
    assert wait_until_refused(f"{stack.url}/api/tasks", bearer(login)) == "TOKEN_REVOKED"
    assert httpx.get(f"{stack.url}/api/tasks", headers=bearer(changed.json())).status_code == 200
