"""Sessions over REST and across processes: what one service revokes, the others refuse within seconds."""

import time

import httpx2 as httpx
import pytest


@pytest.fixture
def login(stack, person):
    email = person.http.get("/api/v1/me").json()["email"]
    answer = httpx.post(f"{stack.url}/api/login", json={"email": email, "password": "test123"}, timeout=60)
    assert answer.status_code == 200
    assert list(answer.json()) == ["access_token", "refresh_token", "token_type", "expires_in", "user"]
    return answer.json()


def bearer(tokens) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens['access_token']}"}


def wait_until_refused(url, headers) -> str:
    """Repeat a call until it is refused; return the reason."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        answer = httpx.get(url, headers=headers)
        if answer.status_code != 200:
            assert answer.status_code == 401
            return answer.json()["error"]["details"][0]["reason"]
        time.sleep(0.05)
    pytest.fail("nobody was turned away")


def test_refresh_token_reuse_ends_the_session(stack, login):
    """A refresh token works once; its second use ends the session at every service."""
    given = {"refresh_token": login["refresh_token"]}
    refreshed = httpx.post(f"{stack.url}/api/v1/token:refresh", json=given)
    assert refreshed.status_code == 200
    assert refreshed.json()["user"] == login["user"]
    assert httpx.get(f"{stack.url}/api/tasks", headers=bearer(refreshed.json())).status_code == 200
    again = httpx.post(f"{stack.url}/api/v1/token:refresh", json=given)
    assert again.status_code == 401
    assert again.json()["error"]["details"][0]["reason"] == "INVALID_REFRESH_TOKEN"
    assert wait_until_refused(f"{stack.url}/api/tasks", bearer(refreshed.json())) == "TOKEN_REVOKED"


def test_logout_takes_effect_at_every_service(stack, login):
    answer = httpx.post(f"{stack.url}/api/v1/logout", headers=bearer(login))
    assert (answer.status_code, answer.json()) == (200, {})
    for path in ("/api/tasks", "/api/v1/me"):
        assert wait_until_refused(stack.url + path, bearer(login)) == "TOKEN_REVOKED"


def test_sessions_are_listed_and_revoked_one_by_one(stack, person, login):
    found = person.http.get("/api/v1/me/sessions").json()
    assert [session["current"] for session in found["sessions"]] == [False, True]
    assert person.http.delete(f"/api/v1/me/sessions/{found['sessions'][0]['id']}").json() == {}
    assert wait_until_refused(f"{stack.url}/api/tasks", bearer(login)) == "TOKEN_REVOKED"
    assert person.http.get("/api/tasks").status_code == 200


def test_password_change_needs_the_current_password(stack, person, login):
    wrong = {"current_password": "wrong", "new_password": "test1234"}
    refused = person.http.post("/api/v1/me:changePassword", json=wrong)
    assert refused.status_code == 400
    assert refused.json()["error"]["details"][0]["field"] == "current_password"
    changed = person.http.post("/api/v1/me:changePassword", json={**wrong, "current_password": "test123"})
    assert changed.status_code == 200
    assert wait_until_refused(f"{stack.url}/api/tasks", bearer(login)) == "TOKEN_REVOKED"
    assert httpx.get(f"{stack.url}/api/tasks", headers=bearer(changed.json())).status_code == 200
