"""Every use case of auth_service that writes for a caller first checks the caller's rights in its transaction."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import get_type_hints

import pytest
from google.protobuf.descriptor import MethodDescriptor
from taskmanager.auth.v1 import auth_service_pb2, service_account_service_pb2, token_service_pb2, user_service_pb2

from auth_service.transport.auth_servicer import AuthServicer
from auth_service.transport.service_account_servicer import ServiceAccountServicer
from auth_service.transport.token_servicer import TokenServicer
from auth_service.transport.user_servicer import UserServicer
from auth_service.usecases.caller_rights import lock_active_admin, lock_active_caller
from chassis.rpc.access import access_of

SERVICERS = {
    auth_service_pb2.DESCRIPTOR.services_by_name["AuthService"]: AuthServicer,
    user_service_pb2.DESCRIPTOR.services_by_name["UserService"]: UserServicer,
    service_account_service_pb2.DESCRIPTOR.services_by_name["ServiceAccountService"]: ServiceAccountServicer,
    token_service_pb2.DESCRIPTOR.services_by_name["TokenService"]: TokenServicer,
}
METHODS = [
    (method, servicer)
    for service, servicer in SERVICERS.items()
    for method in service.methods
    if (access := access_of(method)) is not None and not access.public
]
EXEMPT = {"Logout"}  # A caller without rights may give up the session, and may repeat the call.
CHECKS = {lock_active_caller.__name__, lock_active_admin.__name__}


def parse(code: object) -> ast.Module:
    return ast.parse(textwrap.dedent(inspect.getsource(code)))  # type: ignore[arg-type]


def use_cases_of(servicer: type, handler: str) -> Iterator[type]:
    """Yield the classes of the use cases that a handler calls, as `self._use_cases.name`."""
    hints = get_type_hints(inspect.signature(servicer, eval_str=True).parameters["use_cases"].annotation)
    for node in ast.walk(parse(getattr(servicer, handler))):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self._use_cases":
            yield hints[node.attr]


def transactions_of(use_case: type) -> list[ast.AsyncWith]:
    """Return the blocks of the class that open a transaction."""
    blocks = [node for node in ast.walk(parse(use_case)) if isinstance(node, ast.AsyncWith)]
    return [block for block in blocks if "self.begin()" in ast.unparse(block.items[0])]


def first_call(block: ast.AsyncWith) -> str:
    """Return the name of the function that the block awaits first, after locks that `serialize` takes."""
    first: ast.stmt = next(line for line in block.body if not ast.unparse(line).startswith("await work.serialize("))
    # An operator's command has no caller.
    if isinstance(first, ast.If) and ast.unparse(first.test) == "caller is not None":
        first = first.body[0]
    awaited = next(node for node in ast.walk(first) if isinstance(node, ast.Await))
    return ast.unparse(awaited.value.func) if isinstance(awaited.value, ast.Call) else ""


@pytest.mark.parametrize(("method", "servicer"), METHODS, ids=[method.name for method, _ in METHODS])
def test_changes_check_the_rights_of_their_caller(method: MethodDescriptor, servicer: type):
    use_cases = list(use_cases_of(servicer, method.name))
    assert use_cases, "the handler calls no use case"
    access = access_of(method)
    assert access is not None
    for use_case in use_cases:
        calls = [first_call(block) for block in transactions_of(use_case)]
        if "begin" not in get_type_hints(use_case) or method.name in EXEMPT:
            assert not set(calls) & CHECKS
        elif access.roles == {"admin"}:
            assert set(calls) == {lock_active_admin.__name__}
        else:
            assert set(calls) == {lock_active_caller.__name__}
