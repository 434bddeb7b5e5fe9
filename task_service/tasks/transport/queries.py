"""Conversion of list requests to queries. Pure functions."""

from taskmanager.tasks.v1 import task_service_pb2

from chassis.kernel.identity import Caller
from task_service.proto_fields import timestamp_from_proto
from task_service.tasks.domain.task_query import DeletedFilter, QueryDraft, TaskQuery, TimeFilters
from task_service.tasks.transport.translate import PRIORITY_VALUES, STATUS_VALUES


def query_from_proto(
    request: task_service_pb2.ListTasksRequest | task_service_pb2.ExportTasksRequest, caller: Caller
) -> TaskQuery:
    """Return the query of a list, limited to tasks that the caller may see.

    Raises the errors of all filters together, or OwnerNotYours.
    """
    deleted = DeletedFilter.INCLUDE if request.show_deleted else DeletedFilter.EXCLUDE
    return QueryDraft(
        owner_id=request.owner_id,
        ids=request.ids,
        external_id=request.external_id,
        statuses=[STATUS_VALUES.get(number, "") for number in request.status],
        priorities=[PRIORITY_VALUES.get(number, "") for number in request.priority],
        labels_any=request.labels_any,
        labels_all=request.labels_all,
        labels_none=request.labels_none,
        assignee_id=request.assignee_id,
        import_id=request.import_id,
        due_before=request.due_before,
        due_after=request.due_after,
        no_due_date=request.no_due_date,
        time_filters=TimeFilters(**{name: timestamp_from_proto(request, name) for name in TimeFilters._fields}),
        overdue=request.overdue,
        q=request.q,
        deleted=DeletedFilter.ONLY if request.only_deleted else deleted,
        order_by=request.order_by,
    ).validate(caller)


def stats_query_from_proto(owner_id: str, caller: Caller) -> TaskQuery:
    """Return the query for all live tasks of an owner. Raises MalformedId, OwnerNotYours."""
    return QueryDraft(owner_id=owner_id, time_filters=TimeFilters()).validate(caller)
