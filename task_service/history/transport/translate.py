"""Conversions between the messages of HistoryService and domain objects. Pure functions."""

from uuid import UUID

from taskmanager.tasks.v1 import history_service_pb2

from chassis.kernel.errors import Invalid, collect_errors, raise_all
from chassis.kernel.pagination import Page
from chassis.rpc.pagination import fit_to_message_size
from chassis.rpc.proto_fields import enum_members, enum_numbers, optional_id, timestamp_to_proto
from task_service.errors import ForbiddenCharacter
from task_service.history.domain.errors import CursorWithNewestFirst, UnknownAction
from task_service.history.domain.event_log import LOG_START, Cursor, EventQuery, LoggedEvent, LogPosition
from task_service.history.domain.events import AccessChange, Action, TaskEvent
from task_service.history.domain.hash_chain import ChainHead
from task_service.history.usecases.events import EventPage
from task_service.proto_fields import timestamp_from_proto

_ACTION_NUMBER = enum_numbers(history_service_pb2.TaskEvent.Action, Action)
_ACTION = enum_members(history_service_pb2.TaskEvent.Action, Action)
_ACCESS_CHANGE = enum_numbers(history_service_pb2.TaskEvent.AccessChange, AccessChange)
_LOG_START_TEXT, _LOG_END_TEXT = "-", "now"
_ACTOR_ROLE = history_service_pb2.TaskEvent.ActorRole


def event_query_from_proto(request: history_service_pb2.ListEventsRequest) -> EventQuery:
    """Return the filter of a ListEvents request. Raises all errors of its fields together."""
    errors: list[Invalid] = []
    actions = {_ACTION.get(number) for number in request.action}
    if None in actions:
        errors.append(UnknownAction())
    if request.cursor and request.newest_first:
        errors.append(CursorWithNewestFirst())
    if "\0" in request.request_id:
        errors.append(ForbiddenCharacter(field="request_id", character="U+0000"))
    ids: dict[str, UUID | None] = {}
    for name in ("task_id", "owner_id", "actor_id"):
        with collect_errors(errors):
            ids[name] = optional_id(getattr(request, name), field=name)
    raise_all(errors)
    return EventQuery(
        **ids,
        actions=tuple(action for action in Action if action in actions),
        occurred_before=timestamp_from_proto(request, "occurred_before"),
        occurred_after=timestamp_from_proto(request, "occurred_after"),
        request_id=request.request_id,
        newest_first=request.newest_first,
    )


def _log_start_from_text(cursor: str) -> Cursor | LogPosition | None:
    """Return where to start in the log: at its start for "-", None (its end) for "now". Raises InvalidCursor."""
    if cursor == _LOG_END_TEXT:
        return None
    return LOG_START if cursor == _LOG_START_TEXT else Cursor.from_text(cursor)


def list_start_from_text(cursor: str) -> Cursor | LogPosition | None:
    """Return the start of a list, by default that of the log. Raises InvalidCursor."""
    return _log_start_from_text(cursor or _LOG_START_TEXT)


def stream_start_from_text(cursor: str) -> Cursor | LogPosition | None:
    """Return the start of a stream, by default the end of the log. Raises InvalidCursor."""
    return _log_start_from_text(cursor or _LOG_END_TEXT)


def task_events_to_proto(page: Page[TaskEvent]) -> history_service_pb2.ListTaskEventsResponse:
    """Return the page of a task's events."""
    response = history_service_pb2.ListTaskEventsResponse(events=map(_event_to_proto, page.items))
    return fit_to_message_size(response, response.events, page)


def event_page_to_proto(found: EventPage) -> history_service_pb2.ListEventsResponse:
    """Return the page of the event log, with the cursor after the last event that the message holds."""
    response = history_service_pb2.ListEventsResponse(events=map(logged_event_to_proto, found.page.items))
    fit_to_message_size(response, response.events, found.page)
    response.next_cursor = found.cursor_after(len(response.events)).to_text()
    return response


def logged_event_to_proto(logged: LoggedEvent) -> history_service_pb2.TaskEvent:
    """Return the message of an event with its effect on the caller's access."""
    message = _event_to_proto(logged.event)
    if logged.access_change is not None:
        message.access_change = _ACCESS_CHANGE[logged.access_change]
    return message


def _event_to_proto(event: TaskEvent) -> history_service_pb2.TaskEvent:
    return history_service_pb2.TaskEvent(
        id=str(event.id),
        task_id=str(event.task_id),
        action=_ACTION_NUMBER[event.action],
        actor_id=str(event.actor_id),
        actor_role=_ACTOR_ROLE.Value(f"ACTOR_ROLE_{event.actor_role.upper()}"),
        occurred_at=timestamp_to_proto(event.occurred_at),
        request_id=event.request_id,
        revision=event.revision,
        changes=[history_service_pb2.TaskEvent.Change(**change._asdict()) for change in event.changes],
    )


def head_to_proto(head: ChainHead) -> history_service_pb2.AuditHead:
    """Return the message of the chain's head."""
    return history_service_pb2.AuditHead(
        number=head.number,
        hash=head.hash.hex(),
        events=head.total_events,
        newest_event_id=str(head.position.event_id) if head.number else "",
        sealed_at=timestamp_to_proto(head.sealed_at),
    )
