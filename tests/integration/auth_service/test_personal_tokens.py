"""Personal access tokens: creating, listing and revoking them."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from taskmanager.auth.v1 import token_service_pb2

from auth_service.domain.personal_tokens import MAX_TOKENS_PER_USER
from chassis.kernel.personal_tokens import is_well_formed
from tests.integration.auth_service.auth_server import code_and_reason
from tests.support.grpc_calls import bearer, expect_failure

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "PERSONAL_TOKEN_NOT_FOUND")
FAR_AWAY = "018f0000-0000-7000-8000-000000000000"


def in_future(**duration: float) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(datetime.now(UTC) + timedelta(**duration))
    return message


@pytest.fixture
async def session(auth_server):
    """An access token of a person who is logged in."""
    await auth_server.register()
    return (await auth_server.login()).access_token


async def test_created_token_is_shown_once(auth_server, session, database):
    created = await auth_server.create_token(session, "tasks:write", "tasks:read", name="nightly export")
    assert is_well_formed(created.token)
    assert (created.name, list(created.scopes)) == ("nightly export", ["tasks:read", "tasks:write"])
    lifetime = created.expires_at.ToDatetime() - created.created_at.ToDatetime()
    assert lifetime == timedelta(days=90)
    assert not created.HasField("last_used_at")
    [listed] = await auth_server.list_tokens(session)
    fields = {name: getattr(created, name) for name in ("id", "name", "scopes", "created_at", "expires_at")}
    assert listed == token_service_pb2.Token(**fields)
    [(stored,)] = database.rows("SELECT personal_tokens::text FROM auth.personal_tokens")
    assert created.token not in stored
    assert created.token.encode().hex() not in stored


async def test_tokens_differ_and_are_listed_newest_first(auth_server, session):
    first = await auth_server.create_token(session, "tasks:read")
    second = await auth_server.create_token(session, "tasks:read")
    assert first.token != second.token
    request = token_service_pb2.ListTokensRequest(page_size=1)
    page = await auth_server.tokens.ListTokens(request, metadata=bearer(session))
    assert [token.id for token in page.tokens] == [second.id]
    request.page_token = page.next_page_token
    page = await auth_server.tokens.ListTokens(request, metadata=bearer(session))
    assert ([token.id for token in page.tokens], page.next_page_token) == ([first.id], "")


@pytest.mark.parametrize(
    ("fields", "violation"),
    [
        ({"name": ""}, ("name", "MISSING_FIELD")),
        ({"name": " \t "}, ("name", "MISSING_FIELD")),
        ({"name": "x" * 101}, ("name", "INVALID_TOKEN_NAME")),
        ({"name": "a\0b"}, ("name", "INVALID_TOKEN_NAME")),
        ({"name": "a\u202eb"}, ("name", "INVALID_TOKEN_NAME")),
        ({"scopes": []}, ("scopes", "MISSING_FIELD")),
        ({"scopes": ["tasks:delete"]}, ("scopes", "UNKNOWN_SCOPE")),
        ({"scopes": ["users:read"]}, ("scopes", "UNKNOWN_SCOPE")),
        ({"scopes": ["tasks:read tasks:write"]}, ("scopes", "UNKNOWN_SCOPE")),
        ({"scopes": ["tasks:read", ""]}, ("scopes", "UNKNOWN_SCOPE")),
        ({"scopes": ["tasks:read", "tasks:read"]}, ("scopes", "DUPLICATE_SCOPE")),
        ({"expires_at": in_future(days=-1)}, ("expires_at", "EXPIRY_IN_PAST")),
        ({"expires_at": Timestamp()}, ("expires_at", "EXPIRY_IN_PAST")),
        ({"expires_at": in_future(days=365, hours=1)}, ("expires_at", "EXPIRY_TOO_FAR")),
        ({"expires_at": Timestamp(seconds=2**62)}, ("expires_at", "MALFORMED_EXPIRY")),
    ],
)
async def test_wrong_field_is_one_clear_error(auth_server, session, database, fields, violation):
    request = token_service_pb2.CreateTokenRequest(**{"name": "script", "scopes": ["tasks:read"], **fields})
    failure = await expect_failure(auth_server.tokens.CreateToken(request, metadata=bearer(session)))
    assert (failure.code, failure.violations) == (INVALID, [violation])
    assert database.rows("SELECT count(*) FROM auth.personal_tokens") == [(0,)]


async def test_all_wrong_fields_are_named_at_once(auth_server, session):
    request = token_service_pb2.CreateTokenRequest(scopes=["x"], expires_at=in_future(days=-1))
    failure = await expect_failure(auth_server.tokens.CreateToken(request, metadata=bearer(session)))
    assert failure.violations == [
        ("name", "MISSING_FIELD"),
        ("scopes", "UNKNOWN_SCOPE"),
        ("expires_at", "EXPIRY_IN_PAST"),
    ]


async def test_longest_expiry_and_name_are_accepted(auth_server, session):
    expiry = in_future(days=365, minutes=-1)
    created = await auth_server.create_token(session, "events:read", name="ü" * 100, expires_at=expiry)
    assert created.expires_at.ToDatetime() == expiry.ToDatetime()


async def test_concurrent_creations_respect_the_limit(auth_server, session, database):
    """Of concurrent creations, exactly as many succeed as the limit allows. A revoked token makes room."""
    await asyncio.gather(*(auth_server.create_token(session, "tasks:read") for _ in range(MAX_TOKENS_PER_USER - 1)))
    results = await asyncio.gather(
        *(code_and_reason(auth_server.create_token(session, "tasks:read")) for _ in range(5)), return_exceptions=True
    )
    too_many = (grpc.StatusCode.FAILED_PRECONDITION, "TOO_MANY_PERSONAL_TOKENS")
    assert results.count(too_many) == 4
    assert database.rows("SELECT count(*) FROM auth.personal_tokens") == [(MAX_TOKENS_PER_USER,)]
    tokens = await auth_server.list_tokens(session)
    await auth_server.revoke_token(session, tokens[0].id)
    assert (await auth_server.create_token(session, "tasks:read")).id


async def test_expired_tokens_do_not_count(auth_server, session, database):
    await asyncio.gather(*(auth_server.create_token(session, "tasks:read") for _ in range(MAX_TOKENS_PER_USER)))
    await database.execute("UPDATE auth.personal_tokens SET expires_at = now()")
    assert await auth_server.list_tokens(session) == []
    assert (await auth_server.create_token(session, "tasks:read")).id


async def test_only_the_owner_revokes_a_token(auth_server, session):
    created = await auth_server.create_token(session, "tasks:read")
    await auth_server.register("mona")
    other = (await auth_server.login("mona@example.com")).access_token
    assert await code_and_reason(auth_server.revoke_token(other, created.id)) == NOT_FOUND
    assert await code_and_reason(auth_server.revoke_token(session, FAR_AWAY)) == NOT_FOUND
    assert (await code_and_reason(auth_server.revoke_token(session, "x")))[0] == INVALID
    assert await auth_server.list_tokens(other) == []
    await auth_server.revoke_token(session, created.id)
    assert await code_and_reason(auth_server.revoke_token(session, created.id)) == NOT_FOUND
    assert await auth_server.list_tokens(session) == []


async def test_admin_lists_and_ends_the_tokens_of_a_user(auth_server, database):
    user = await auth_server.register()
    session = (await auth_server.login()).access_token
    created, kept = [await auth_server.create_token(session, "tasks:read") for _ in range(2)]
    admin = bearer(await auth_server.create_admin())
    listing = token_service_pb2.ListUserTokensRequest(user_id=user.id)
    listed = await auth_server.tokens.ListUserTokens(listing, metadata=admin)
    assert [token.id for token in listed.tokens] == [kept.id, created.id]
    unknown = token_service_pb2.ListUserTokensRequest(user_id=FAR_AWAY)
    assert (await expect_failure(auth_server.tokens.ListUserTokens(unknown, metadata=admin))).reason == "USER_NOT_FOUND"

    def revocation(user_id: str, token_id: str) -> Awaitable[object]:
        request = token_service_pb2.RevokeUserTokenRequest(user_id=user_id, id=token_id)
        return auth_server.tokens.RevokeUserToken(request, metadata=admin)

    assert await code_and_reason(revocation(FAR_AWAY, created.id)) == NOT_FOUND
    await revocation(user.id, created.id)
    assert await code_and_reason(revocation(user.id, created.id)) == NOT_FOUND
    assert [token.id for token in await auth_server.list_tokens(session)] == [kept.id]
    events = database.rows(
        "SELECT actor_id <> subject_id, details->>'token_id' FROM auth.security_events"
        " WHERE kind = 'personal_token_revoked'"
    )
    assert events == [(True, created.id)]


async def test_creation_and_revocation_are_recorded(auth_server, session, database):
    created = await auth_server.create_token(session, "tasks:write", "tasks:read")
    await auth_server.revoke_token(session, created.id)
    events = database.rows(
        "SELECT kind, actor_id = subject_id, details FROM auth.security_events WHERE kind LIKE 'personal%%' ORDER BY id"
    )
    assert events == [
        ("personal_token_created", True, {"token_id": created.id, "scopes": "tasks:read tasks:write"}),
        ("personal_token_revoked", True, {"token_id": created.id}),
    ]
