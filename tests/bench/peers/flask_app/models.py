"""Tables of the minimal task manager."""

import uuid
from datetime import date, datetime

from sqlalchemy import ARRAY, JSON, BigInteger, DateTime, ForeignKey, Index, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 - the interface
        datetime: DateTime(timezone=True),
        list[str]: ARRAY(String),
        dict[str, object]: JSON,
    }


class User(Base):
    __tablename__ = "users"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    username: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]


class Task(Base):
    __tablename__ = "tasks"
    __table_args__ = (Index("tasks_by_owner", "owner_id", "created_at"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    title: Mapped[str]
    description: Mapped[str]
    status: Mapped[str]
    priority: Mapped[str]
    due_date: Mapped[date | None]
    labels: Mapped[list[str]]
    external_id: Mapped[str | None]
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    assignee_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    import_id: Mapped[uuid.UUID | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    purge_at: Mapped[datetime | None]
    version: Mapped[int]

    def to_json(self) -> dict[str, object]:
        return {
            "id": str(self.id),
            "title": self.title,
            "description": self.description,
            "status": self.status,
            "priority": self.priority,
            "due_date": self.due_date.isoformat() if self.due_date else "",
            "labels": self.labels,
            "external_id": self.external_id or "",
            "owner_id": str(self.owner_id),
            "assignee_id": str(self.assignee_id) if self.assignee_id else "",
            "import_id": str(self.import_id) if self.import_id else "",
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
            "completed_at": self.completed_at.isoformat() if self.completed_at else None,
            "deleted_at": self.deleted_at.isoformat() if self.deleted_at else None,
            "purge_at": self.purge_at.isoformat() if self.purge_at else None,
            "etag": str(self.version),
        }


class HistoryEvent(Base):
    __tablename__ = "history_events"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    task_id: Mapped[uuid.UUID] = mapped_column(index=True)
    actor_id: Mapped[uuid.UUID]
    action: Mapped[str]
    at: Mapped[datetime]
    changes: Mapped[dict[str, object]]
