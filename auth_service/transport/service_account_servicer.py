"""taskmanager.auth.v1.ServiceAccountService."""

from typing import Any

from grpc.aio import ServicerContext
from taskmanager.auth.v1 import service_account_service_pb2 as pb
from taskmanager.auth.v1 import service_account_service_pb2_grpc

from auth_service.transport.translate_administration import (
    issued_service_account_to_proto,
    service_account_to_proto,
    service_accounts_to_proto,
)
from auth_service.usecases.service_accounts import (
    CreateServiceAccount,
    ListServiceAccounts,
    RotateServiceAccount,
    SwitchServiceAccount,
)
from chassis.kernel.pagination import PageRequest
from chassis.kernel.ids import parse_id
from chassis.rpc.request_context import current_caller

Context = ServicerContext[Any, Any]


class ServiceAccountServicer(service_account_service_pb2_grpc.ServiceAccountServiceServicer):
    """Accounts of services."""

    def __init__(
        self,
        *,
        list_service_accounts: ListServiceAccounts,
        create_service_account: CreateServiceAccount,
        rotate_service_account: RotateServiceAccount,
        switch_service_account: SwitchServiceAccount,
    ) -> None:
        self._list_service_accounts = list_service_accounts
        self._create_service_account = create_service_account
        self._rotate_service_account = rotate_service_account
        self._switch_service_account = switch_service_account

    async def ListServiceAccounts(
        self, request: pb.ListServiceAccountsRequest, context: Context
    ) -> pb.ListServiceAccountsResponse:
        page = PageRequest.parse(request.page_size, request.page_token, query="service accounts")
        return service_accounts_to_proto(await self._list_service_accounts(page))

    async def CreateServiceAccount(
        self, request: pb.CreateServiceAccountRequest, context: Context
    ) -> pb.IssuedServiceAccount:
        issued = await self._create_service_account(request.name, request.scopes, caller=current_caller())
        return issued_service_account_to_proto(issued)

    async def RotateServiceAccount(
        self, request: pb.RotateServiceAccountRequest, context: Context
    ) -> pb.IssuedServiceAccount:
        issued = await self._rotate_service_account(current_caller(), parse_id(request.id, field="id"))
        return issued_service_account_to_proto(issued)

    async def DisableServiceAccount(
        self, request: pb.DisableServiceAccountRequest, context: Context
    ) -> pb.ServiceAccount:
        account_id = parse_id(request.id, field="id")
        return service_account_to_proto(await self._switch_service_account(current_caller(), account_id, disabled=True))

    async def EnableServiceAccount(
        self, request: pb.EnableServiceAccountRequest, context: Context
    ) -> pb.ServiceAccount:
        account_id = parse_id(request.id, field="id")
        return service_account_to_proto(
            await self._switch_service_account(current_caller(), account_id, disabled=False)
        )
