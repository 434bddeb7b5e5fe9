"""Service accounts and security events, between the contract's messages and the domain's words. Pure."""

from taskmanager.auth.v1 import security_event_service_pb2, service_account_service_pb2

from auth_service.domain.events import SecurityEvent
from auth_service.domain.service_accounts import ServiceAccount
from auth_service.transport.translate import timestamp
from auth_service.usecases.service_accounts import IssuedServiceAccount
from chassis.kernel.pagination import Page
from chassis.rpc.pagination import fit_to_message_size


def service_account_to_proto(account: ServiceAccount) -> service_account_service_pb2.ServiceAccount:
    return service_account_service_pb2.ServiceAccount(
        id=str(account.id),
        name=account.name,
        scopes=sorted(account.scopes),
        disabled=account.disabled,
        created_at=timestamp(account.created_at),
    )


def issued_service_account_to_proto(issued: IssuedServiceAccount) -> service_account_service_pb2.IssuedServiceAccount:
    return service_account_service_pb2.IssuedServiceAccount(
        service_account=service_account_to_proto(issued.account), credential=issued.credential.reveal()
    )


def service_accounts_to_proto(page: Page[ServiceAccount]) -> service_account_service_pb2.ListServiceAccountsResponse:
    accounts, next_token = fit_to_message_size(page, service_account_to_proto)
    return service_account_service_pb2.ListServiceAccountsResponse(
        service_accounts=accounts, next_page_token=next_token
    )


def security_events_to_proto(page: Page[SecurityEvent]) -> security_event_service_pb2.ListSecurityEventsResponse:
    events, next_token = fit_to_message_size(page, _security_event_to_proto)
    return security_event_service_pb2.ListSecurityEventsResponse(events=events, next_page_token=next_token)


def _security_event_to_proto(event: SecurityEvent) -> security_event_service_pb2.SecurityEvent:
    return security_event_service_pb2.SecurityEvent(
        id=str(event.id),
        occurred_at=timestamp(event.occurred_at),
        kind=str(event.kind),
        actor_id=str(event.actor_id or ""),
        subject_id=str(event.subject_id or ""),
        request_id=event.request_id,
        details=[
            security_event_service_pb2.SecurityEvent.Detail(name=name, value=value)
            for name, value in sorted(event.details.items())
        ],
    )
