"""Usernames that look like emails: refused for new names, and accepted where an account already has one."""

import pytest
from taskmanager.auth.v1 import user_service_pb2

from tests.integration.auth_service.auth_server import PASSWORD
from tests.support.grpc_calls import bearer, refused, violations_of

EMAIL = "mina@example.com"


@pytest.mark.parametrize("name", ["mina@example.com", "a@b", "mina\uff20example.com", "mina\ufe6bexample.com"])
async def test_new_username_that_looks_like_an_email_is_refused(auth_server, name):
    """It could be the email of another person. Other spellings of @ become @ in NFKC."""
    violations = [("username", "EMAIL_AS_USERNAME")]
    assert violations_of(await refused(auth_server.register(name, email="thief@example.com"))) == violations
    await auth_server.register()
    token = (await auth_server.login()).access_token
    assert violations_of(await refused(auth_server.update_me(token, username=name))) == violations


async def test_new_username_may_begin_with_an_at_sign(auth_server):
    assert (await auth_server.register("@mina", email=EMAIL)).username == "@mina"


async def test_existing_username_that_looks_like_an_email_stays(auth_server, database):
    """The account logs in, is found by its name, and sends its name back with other changes."""
    user = await auth_server.register()
    database.rows("UPDATE auth.users SET username = %s, username_key = %s", EMAIL, EMAIL)
    token = (await auth_server.login()).access_token
    changed = await auth_server.update_me(token, username=EMAIL, email="new@example.com", current_password=PASSWORD)
    assert (changed.username, changed.email) == (EMAIL, "new@example.com")
    credential = await auth_server.create_service("tasks", "users:read")
    metadata = bearer((await auth_server.service_token(credential)).access_token)
    request = user_service_pb2.BatchGetUserIdsRequest(usernames=[EMAIL], emails=[EMAIL])
    response = await auth_server.users.BatchGetUserIds(request, metadata=metadata)
    assert ([found.id for found in response.users], list(response.users_by_email)) == ([user.id], [])
