"""Servicer of taskmanager.auth.v1.ServiceAccountService."""

from taskmanager.auth.v1 import service_account_service_pb2 as pb
from taskmanager.auth.v1 import service_account_service_pb2_grpc

from auth_service.transport.translate_administration import (
    issued_service_account_to_proto,
    service_account_to_proto,
    service_accounts_to_proto,
)
from auth_service.usecases.use_cases import ServiceAccountUseCases
from chassis.kernel.ids import parse_id
from chassis.kernel.pagination import PageRequest
from chassis.rpc.interceptor import Context
from chassis.rpc.request_context import current_caller


class ServiceAccountServicer(service_account_service_pb2_grpc.ServiceAccountServiceServicer):
    def __init__(self, use_cases: ServiceAccountUseCases) -> None:
        self._use_cases = use_cases

    async def ListServiceAccounts(
        self, request: pb.ListServiceAccountsRequest, context: Context
    ) -> pb.ListServiceAccountsResponse:
        page = PageRequest.parse(request.page_size, request.page_token, query="service accounts")
        return service_accounts_to_proto(await self._use_cases.list_service_accounts(page))

    async def CreateServiceAccount(
        self, request: pb.CreateServiceAccountRequest, context: Context
    ) -> pb.IssuedServiceAccount:
        issued = await self._use_cases.create_service_account(request.name, request.scopes, caller=current_caller())
        return issued_service_account_to_proto(issued)

    async def RotateServiceAccount(
        self, request: pb.RotateServiceAccountRequest, context: Context
    ) -> pb.IssuedServiceAccount:
        account_id = parse_id(request.id, field="id")
        issued = await self._use_cases.rotate_service_account(current_caller(), account_id)
        return issued_service_account_to_proto(issued)

    async def DisableServiceAccount(
        self, request: pb.DisableServiceAccountRequest, context: Context
    ) -> pb.ServiceAccount:
        account_id = parse_id(request.id, field="id")
        account = await self._use_cases.set_service_account_disabled(current_caller(), account_id, disabled=True)
        return service_account_to_proto(account)

    async def EnableServiceAccount(
        self, request: pb.EnableServiceAccountRequest, context: Context
    ) -> pb.ServiceAccount:
        account_id = parse_id(request.id, field="id")
        account = await self._use_cases.set_service_account_disabled(current_caller(), account_id, disabled=False)
        return service_account_to_proto(account)
