"""Conversion of list requests to queries. Pure functions."""

from taskmanager.tasks.v1 import task_service_pb2

from chassis.kernel.identity import Caller
from task_service.proto_fields import parse_moment
from task_service.tasks.domain.task_query import Deleted, Moments, QueryDraft, TaskQuery
from task_service.tasks.transport.translate import PRIORITY_WORD, STATUS_WORD


def query_from_proto(
    request: task_service_pb2.ListTasksRequest | task_service_pb2.ExportTasksRequest, caller: Caller
) -> TaskQuery:
    """Return the query of a list, limited to what the caller may see. Raises every invalid filter, or OwnerNotYours."""
    visible = Deleted.SHOWN if request.show_deleted else Deleted.HIDDEN
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
        moments=Moments(**{name: parse_moment(request, name) for name in Moments._fields}),
        overdue=request.overdue,
        q=request.q,
        deleted=Deleted.ALONE if request.only_deleted else visible,
        order_by=request.order_by,
    ).validate(caller)


def stats_query_from_proto(owner_id: str, caller: Caller) -> TaskQuery:
    """Return the query for all live tasks of an owner. Raises MalformedId, OwnerNotYours."""
    return QueryDraft(owner_id=owner_id, moments=Moments()).validate(caller)
