"""Usernames that mix scripts: refused for new names, and accepted where an account already has one."""

import grpc
from taskmanager.auth.v1 import user_service_pb2

from tests.integration.auth_service.auth_server import PASSWORD
from tests.support.grpc_calls import bearer, refused, violations_of

MIXED = "\u0430dmin"  # a Cyrillic a


async def refused_violations(call):
    status = await refused(call)
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT
    return violations_of(status)


async def test_new_username_that_mixes_scripts_is_refused(auth_server):
    assert await refused_violations(auth_server.register(MIXED)) == [("username", "MIXED_SCRIPTS")]
    await auth_server.register()
    token = (await auth_server.login()).access_token
    assert await refused_violations(auth_server.update_me(token, username=MIXED)) == [("username", "MIXED_SCRIPTS")]
    assert (await auth_server.update_me(token, username="Соня")).username == "Соня"


async def test_existing_username_that_mixes_scripts_stays(auth_server, database):
    """The account logs in, is found by its name, and sends its name back with other changes."""
    user = await auth_server.register()
    database.rows("UPDATE auth.users SET username = %s, username_key = %s", MIXED, MIXED)
    login = await auth_server.login()
    assert login.user.username == MIXED
    changed = await auth_server.update_me(
        login.access_token, username=MIXED, email="new@example.com", current_password=PASSWORD
    )
    assert (changed.username, changed.email) == (MIXED, "new@example.com")
    credential = await auth_server.create_service("tasks", "users:read")
    metadata = bearer((await auth_server.service_token(credential)).access_token)
    request = user_service_pb2.ResolveUserRequest(username=MIXED)
    assert (await auth_server.users.ResolveUser(request, metadata=metadata)).id == user.id
    batch = user_service_pb2.BatchGetUserIdsRequest(usernames=[MIXED.upper()])
    assert [found.id for found in (await auth_server.users.BatchGetUserIds(batch, metadata=metadata)).users] == [
        user.id
    ]
