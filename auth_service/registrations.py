"""Servicers of every gRPC service in the contract of this service."""

from collections.abc import Sequence

from taskmanager.auth.v1 import (
    auth_service_pb2,
    auth_service_pb2_grpc,
    security_event_service_pb2,
    security_event_service_pb2_grpc,
    service_account_service_pb2,
    service_account_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
    user_service_pb2,
    user_service_pb2_grpc,
)
from taskmanager.trust.v1 import trust_service_pb2, trust_service_pb2_grpc

from auth_service.transport.auth_servicer import AuthServicer
from auth_service.transport.security_event_servicer import SecurityEventServicer
from auth_service.transport.service_account_servicer import ServiceAccountServicer
from auth_service.transport.token_servicer import TokenServicer
from auth_service.transport.trust_servicer import TrustServicer
from auth_service.transport.user_servicer import UserServicer
from auth_service.usecases.use_cases import UseCases
from chassis.rpc.server import Registration


def create_registrations(use_cases: UseCases) -> Sequence[Registration]:
    """Return one registration per gRPC service."""
    return (
        Registration(
            auth_service_pb2.DESCRIPTOR.services_by_name["AuthService"],
            auth_service_pb2_grpc.add_AuthServiceServicer_to_server,
            AuthServicer(use_cases.auth),
        ),
        Registration(
            user_service_pb2.DESCRIPTOR.services_by_name["UserService"],
            user_service_pb2_grpc.add_UserServiceServicer_to_server,
            UserServicer(use_cases.users),
        ),
        Registration(
            token_service_pb2.DESCRIPTOR.services_by_name["TokenService"],
            token_service_pb2_grpc.add_TokenServiceServicer_to_server,
            TokenServicer(use_cases.tokens),
        ),
        Registration(
            service_account_service_pb2.DESCRIPTOR.services_by_name["ServiceAccountService"],
            service_account_service_pb2_grpc.add_ServiceAccountServiceServicer_to_server,
            ServiceAccountServicer(use_cases.service_accounts),
        ),
        Registration(
            security_event_service_pb2.DESCRIPTOR.services_by_name["SecurityEventService"],
            security_event_service_pb2_grpc.add_SecurityEventServiceServicer_to_server,
            SecurityEventServicer(use_cases.list_security_events),
        ),
        Registration(
            trust_service_pb2.DESCRIPTOR.services_by_name["TrustService"],
            trust_service_pb2_grpc.add_TrustServiceServicer_to_server,
            TrustServicer(use_cases.get_trust_state),
        ),
    )
