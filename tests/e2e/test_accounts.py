"""Accounts over REST, as users and admins manage them."""

import secrets

import httpx2 as httpx
import pytest


@pytest.fixture
def admin(stack):
    account = stack.endpoints["admin"]
    return stack.api.login(account["email"], account["password"])


def test_admin_finds_account_and_changes_role(stack, user, admin):
    me = user.http.get("/api/v1/me").json()
    found = admin.get("/api/v1/users", params={"q": me["username"]}).json()
    assert found == {"users": [me], "next_page_token": ""}
    assert admin.get(f"/api/v1/users/{user.id}").json() == me
    changed = admin.patch(f"/api/v1/users/{user.id}", json={"role": "manager"})
    assert (changed.status_code, changed.json()["role"]) == (200, "manager")
    for body in ({"role": "ADMIN"}, {"role": ["admin"]}, {"role": 3}, {"disabled": "yes"}, {"email": "x@example.com"}):
        assert admin.patch(f"/api/v1/users/{user.id}", json=body).status_code == 400, body
    duplicate_key = b'{"role": "user", "role": "admin"}'
    assert admin.patch(f"/api/v1/users/{user.id}", content=duplicate_key).status_code == 400


@pytest.mark.parametrize(
    "role", ['"ADMIN"', '["admin"]', '{"role": "admin"}', "3", '"user", "role": "admin"', '"root"', "true"]
)
def test_invalid_role_creates_no_account(stack, role):
    name = f"user-{secrets.token_hex(4)}"
    body = f'{{"username": "{name}", "email": "{name}@example.com", "password": "test123", "role": {role}}}'
    response = httpx.post(f"{stack.url}/api/register", content=body)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["details"][0]["field"] == "role"
    assert stack.sql("SELECT 1 FROM auth.users WHERE username = %s", name) == []


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("GET", "/{id}"), ("PATCH", "/{id}"), ("POST", "/{id}:resetPassword")]
)
def test_user_cannot_administer_accounts(user, method, path):
    url = "/api/v1/users" + path.format(id=user.id)
    assert user.http.request(method, url, json={} if method != "GET" else None).status_code == 403


def test_users_look_up_each_other_by_name(stack, user):
    name = user.http.get("/api/v1/me").json()["username"]
    found = stack.api.new_user().http.get("/api/v1/users:lookup", params={"q": name.upper()}).json()
    assert found == {"users": [{"id": user.id, "username": name}]}


def test_reset_code_sets_a_new_password(stack, user, admin):
    email = user.http.get("/api/v1/me").json()["email"]
    created = admin.post(f"/api/v1/users/{user.id}:resetPassword").json()
    body = {"reset_code": created["reset_code"], "new_password": "test456"}
    assert admin.post("/api/v1/password:reset", json=body).status_code == 200
    assert admin.post("/api/v1/password:reset", json=body).status_code == 401
    assert stack.api.login(email, "test456").get("/api/v1/me").status_code == 200


def test_user_renames_and_deletes_own_account(user):
    name = f"renamed-{secrets.token_hex(4)}"
    assert user.http.patch("/api/v1/me", json={"username": name}).json()["username"] == name
    assert user.http.delete("/api/v1/me").json() == {}
    assert user.http.get("/api/v1/me").status_code == 401
