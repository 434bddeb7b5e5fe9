"""The original requests of the product, as its documentation shows them."""

from typing import Any

import httpx2 as httpx
import pytest

ACCOUNT = {"username": "sonu", "email": "sonu@example.com", "password": "test123", "role": "user"}


@pytest.fixture(scope="module")
def token(stack) -> str:
    created = httpx.post(f"{stack.url}/api/register", json=ACCOUNT, timeout=60)
    assert created.status_code == 201
    assert created.json() == {
        "id": created.json()["id"],
        "username": "sonu",
        "email": "sonu@example.com",
        "role": "user",
        "disabled": False,
        "created_at": created.json()["created_at"],
    }
    login = httpx.post(
        f"{stack.url}/api/login", json={"email": ACCOUNT["email"], "password": ACCOUNT["password"]}, timeout=60
    )
    assert login.status_code == 200
    assert login.json()["token_type"] == "Bearer"
    assert login.json()["user"] == created.json()
    return login.json()["access_token"]


@pytest.fixture
def bearer(token) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_tasks_are_created_and_listed_with_a_token(stack, bearer):
    created = httpx.post(f"{stack.url}/api/tasks", json={"title": "Write it down"}, headers=bearer)
    assert created.status_code == 201
    assert created.json()["status"] == "pending"
    assert created.json()["completed_at"] is None
    listed = httpx.get(f"{stack.url}/api/tasks", headers=bearer)
    assert listed.status_code == 200
    assert listed.json() == {"tasks": [created.json()], "next_page_token": ""}


def test_documented_csv_file_is_imported(stack, user):
    """A CSV file with the documented columns and states is imported."""
    file = "subject,description,status\nOne,first,pending\nTwo,,in-progress\nThree,third,completed\n"
    queued = user.upload(file)
    assert queued["file_name"] == "tasks.csv"
    done = user.wait_for_import(queued["id"])
    assert (done["state"], done["rows_read"], done["rows_created"], done["rows_failed"]) == ("succeeded", 3, 3, 0)
    tasks = user.http.get("/api/tasks").json()["tasks"]
    assert [(task["title"], task["description"], task["status"]) for task in tasks] == [
        ("Three", "third", "completed"),
        ("Two", "", "in_progress"),
        ("One", "first", "pending"),
    ]
    assert {task["import_id"] for task in tasks} == {queued["id"]}


@pytest.mark.parametrize("path", ["/api/register", "/api/auth/register", "/api/v1/register"])
def test_missing_fields_are_400_and_all_named(stack, path):
    response = httpx.post(stack.url + path, json={})
    assert response.status_code == 400
    assert {detail["field"] for detail in response.json()["error"]["details"]} == {"username", "email", "password"}


@pytest.mark.parametrize("path", ["/api/login", "/api/auth/login", "/api/v1/login"])
def test_login_without_email_and_password_is_400(stack, path):
    response = httpx.post(stack.url + path, json={})
    assert response.status_code == 400
    assert {detail["field"] for detail in response.json()["error"]["details"]} == {"email", "password"}


def test_wrong_password_is_401(stack, token):
    response = httpx.post(f"{stack.url}/api/login", json={"email": ACCOUNT["email"], "password": "wrong one"})
    assert response.status_code == 401


def test_registering_a_role_above_user_is_403(stack):
    for role in ("manager", "admin"):
        account = {**ACCOUNT, "username": f"new-{role}", "email": f"{role}@example.com", "role": role}
        response = httpx.post(f"{stack.url}/api/register", json=account)
        assert response.status_code == 403
        assert response.json()["error"]["status"] == "PERMISSION_DENIED"


def test_listing_another_owner_is_403(stack, bearer, user):
    response = httpx.post(f"{stack.url}/api/tasks", json={"title": "x", "owner_id": user.id}, headers=bearer)
    assert response.status_code == 403
    assert response.json()["error"]["details"][0]["field"] == "owner_id"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/tasks", {}),
        ("POST", "/api/tasks", {"json": {"title": "x"}}),
        ("POST", "/api/upload-csv", {"files": {"file": ("a.csv", "title\nx\n")}}),
        ("GET", "/api/v1/me", {}),
    ],
)
@pytest.mark.parametrize("sent", [None, "Bearer", "Bearer rubbish", "Basic c29udTp0ZXN0MTIz"])
def test_missing_or_bad_token_is_401(stack, method, path, body: dict[str, Any], sent):
    headers = {"authorization": sent} if sent else {}
    response = httpx.request(method, stack.url + path, headers=headers, **body)
    assert response.status_code == 401, response.text
    assert response.json()["error"]["status"] == "UNAUTHENTICATED"
    assert response.headers["www-authenticate"].startswith("Bearer")


def test_token_with_one_character_changed_is_401(stack, token):
    middle = len(token) // 2
    changed_token = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]
    response = httpx.get(f"{stack.url}/api/tasks", headers={"authorization": f"Bearer {changed_token}"})
    assert response.status_code == 401
