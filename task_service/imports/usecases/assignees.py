"""Look-up of the assignees that a file or an option names."""

from collections.abc import Collection, Mapping
from uuid import UUID

from task_service.imports.domain.cells.assignees import is_email
from task_service.tasks.usecases.ports import UserDirectory


async def find_assignees(user_directory: UserDirectory, assignees: Collection[str]) -> Mapping[str, UUID]:
    """Return the ids of active users by their usernames and emails. Unknown ones are left out. Raises Unavailable."""
    emails = {assignee for assignee in assignees if is_email(assignee)}
    usernames = set(assignees) - emails
    ids = dict(await user_directory.ids_by_username(usernames)) if usernames else {}
    return ids | dict(await user_directory.ids_by_email(emails)) if emails else ids
