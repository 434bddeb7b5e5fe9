"""Translation from domain objects to protobuf messages, for service accounts and security events. Pure."""

from taskmanager.auth.v1 import security_event_service_pb2, service_account_service_pb2

from auth_service.domain.security_events import SecurityEvent
from auth_service.domain.service_accounts import ServiceAccount
from auth_service.usecases.service_accounts import IssuedServiceAccount
from chassis.kernel.pagination import Page
from chassis.rpc.pagination import fit_to_message_size
from chassis.rpc.proto_fields import timestamp_to_proto


def service_account_to_proto(account: ServiceAccount) -> service_account_service_pb2.ServiceAccount:
    return service_account_service_pb2.ServiceAccount(
        id=str(account.id),
        name=account.name,
        scopes=sorted(account.scopes),
        disabled=account.disabled,
        created_at=timestamp_to_proto(account.created_at),
    )


def issued_service_account_to_proto(issued: IssuedServiceAccount) -> service_account_service_pb2.IssuedServiceAccount:
    return service_account_service_pb2.IssuedServiceAccount(
        service_account=service_account_to_proto(issued.account), credential=issued.credential.reveal()
    )


def service_accounts_to_proto(page: Page[ServiceAccount]) -> service_account_service_pb2.ListServiceAccountsResponse:
    response = service_account_service_pb2.ListServiceAccountsResponse(
        service_accounts=map(service_account_to_proto, page.items)
    )
    return fit_to_message_size(response, response.service_accounts, page)


def security_events_to_proto(page: Page[SecurityEvent]) -> security_event_service_pb2.ListSecurityEventsResponse:
    response = security_event_service_pb2.ListSecurityEventsResponse(events=map(_security_event_to_proto, page.items))
    return fit_to_message_size(response, response.events, page)


def _security_event_to_proto(event: SecurityEvent) -> security_event_service_pb2.SecurityEvent:
    return security_event_service_pb2.SecurityEvent(
        id=str(event.id),
        occurred_at=timestamp_to_proto(event.occurred_at),
        kind=str(event.kind),
        actor_id=str(event.actor_id or ""),
        subject_id=str(event.subject_id or ""),
        request_id=event.request_id,
        details=[
            security_event_service_pb2.SecurityEvent.Detail(name=name, value=value)
            for name, value in sorted(event.details.items())
        ],
    )
