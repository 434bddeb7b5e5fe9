"""What a client asks to see, from the contract's messages to the domain's words. Pure."""

from datetime import UTC, datetime

from google.protobuf.message import Message
from taskmanager.tasks.v1 import history_service_pb2, task_service_pb2

from chassis.kernel.errors import Invalid, raise_all
from chassis.kernel.identity import Caller
from task_service.history.domain.event_log import BEGINNING, EventQuery, Place
from task_service.history.domain.events import Action
from task_service.tasks.domain.errors import ForbiddenCharacter, MalformedTime, UnknownAction
from task_service.tasks.domain.task_query import Deleted, Moments, QueryDraft, TaskQuery
from task_service.tasks.domain.values import user_id
from task_service.tasks.transport.translate import ACTION_OF, PRIORITY_WORD, STATUS_WORD


def query_from_proto(
    request: task_service_pb2.ListTasksRequest | task_service_pb2.ExportTasksRequest, caller: Caller
) -> TaskQuery:
    """Which tasks to show, within the caller's sight. Invalid names all that is wrong; OwnerNotYours."""
    shown = Deleted.SHOWN if request.show_deleted else Deleted.HIDDEN
    return QueryDraft(
        owner_id=request.owner_id,
        statuses=[STATUS_WORD.get(number, "") for number in request.status],
        priorities=[PRIORITY_WORD.get(number, "") for number in request.priority],
        labels_any=request.labels_any,
        labels_all=request.labels_all,
        assignee_id=request.assignee_id,
        import_id=request.import_id,
        due_before=request.due_before,
        due_after=request.due_after,
        moments=Moments(**{name: _moment(request, name) for name in Moments._fields}),
        overdue=request.overdue,
        q=request.q,
        deleted=Deleted.ALONE if request.only_deleted else shown,
        order_by=request.order_by,
    ).checked(caller)


def sight_from_proto(owner_id: str, caller: Caller) -> TaskQuery:
    """All live tasks of whom the caller names, within the caller's sight. MalformedId, OwnerNotYours."""
    return QueryDraft(owner_id=owner_id, moments=Moments()).checked(caller)


def event_query_from_proto(request: history_service_pb2.ListEventsRequest) -> EventQuery:
    """Which events to list, or all that is wrong with that."""
    wrong: list[Invalid] = []
    words = {ACTION_OF.get(number) for number in request.action}
    if None in words:
        wrong.append(UnknownAction())
    if "\0" in request.request_id:
        wrong.append(ForbiddenCharacter(field="request_id", character="U+0000"))
    ids = {name: user_id(getattr(request, name), name, wrong) for name in ("task_id", "owner_id", "actor_id")}
    raise_all(wrong)
    return EventQuery(
        **ids,
        actions=tuple(action for action in Action if action in words),
        occurred_before=_moment(request, "occurred_before"),
        occurred_after=_moment(request, "occurred_after"),
        request_id=request.request_id,
        newest_first=request.newest_first,
    )


def place_from_cursor(cursor: str) -> Place | None:
    """Where a stream begins; None for now. InvalidCursor."""
    if not cursor:
        return None
    return BEGINNING if cursor == "-" else Place.from_cursor(cursor)


def _moment(message: Message, field: str) -> datetime | None:
    """A time of a message. MalformedTime for one outside the years 1 to 9999."""
    if not message.HasField(field):
        return None
    try:
        found: datetime = getattr(message, field).ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise MalformedTime(field=field) from None
    return found
