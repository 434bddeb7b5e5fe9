"""Minimal task manager: Flask, SQLAlchemy's ORM and one process for everything.

    export DATABASE_URL=... SECRET_KEY=...
    python -m tasks_app                                  # creates the tables
    gunicorn --workers 2 'tasks_app:create_app()'

Users register and log in with a password and then send a JWT. A task has the fields of our contract, and a history row
is written with each in the same transaction.
"""

import os
import uuid
from datetime import UTC, date, datetime, timedelta
from functools import wraps

import jwt
from flask import Blueprint, Flask, abort, current_app, g, jsonify, request
from models import Base, HistoryEvent, Task, User
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.exceptions import HTTPException
from werkzeug.security import check_password_hash, generate_password_hash

STATUSES = {"pending", "in_progress", "completed", "cancelled"}
PRIORITIES = {"none", "low", "medium", "high", "urgent"}
TOKEN_LIFETIME = timedelta(hours=1)
MAX_PAGE_SIZE = 100

api = Blueprint("api", __name__, url_prefix="/api/v1")


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["SECRET_KEY"] = os.environ["SECRET_KEY"]
    app.config["OPEN_SESSION"] = sessionmaker(create_engine(os.environ["DATABASE_URL"]), expire_on_commit=False)
    app.register_blueprint(api)
    return app


def open_session() -> Session:
    return current_app.config["OPEN_SESSION"]()


def login_required(view):
    """Verify the bearer token of the request and set `g.user_id`."""

    @wraps(view)
    def check(**arguments):
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            claims = jwt.decode(
                token, current_app.config["SECRET_KEY"], algorithms=["HS256"], options={"require": ["exp", "sub"]}
            )
        except jwt.InvalidTokenError:
            abort(401, "A valid bearer token is needed.")
        if scheme.lower() != "bearer":
            abort(401, "A valid bearer token is needed.")
        g.user_id = uuid.UUID(claims["sub"])
        return view(**arguments)

    return check


@api.app_errorhandler(HTTPException)
def describe_error(error: HTTPException):
    return jsonify(error={"code": error.code, "message": error.description}), error.code


@api.post("/register")
def register():
    body = request.get_json()
    user = User(username=body["username"], email=body["email"], password_hash=generate_password_hash(body["password"]))
    with open_session() as session:
        session.add(user)
        try:
            session.commit()
        except IntegrityError:
            abort(409, "The username or the e-mail address is taken.")
    return jsonify(id=str(user.id), username=user.username, email=user.email), 201


@api.post("/login")
def login():
    body = request.get_json()
    with open_session() as session:
        user = session.scalar(select(User).where(User.email == body["email"]))
    if user is None or not check_password_hash(user.password_hash, body["password"]):
        abort(401, "Unknown e-mail address or wrong password.")
    claims = {"sub": str(user.id), "exp": datetime.now(UTC) + TOKEN_LIFETIME}
    return jsonify(access_token=jwt.encode(claims, current_app.config["SECRET_KEY"], algorithm="HS256"))


@api.post("/tasks")
@login_required
def create_task():
    task = new_task(request.get_json(), g.user_id)
    values = task.to_json()
    event = HistoryEvent(task_id=task.id, actor_id=g.user_id, action="created", at=task.created_at, changes=values)
    with open_session() as session:
        session.add_all([task, event])
        session.commit()
    return jsonify(values), 201


def new_task(fields: dict[str, object], owner_id: uuid.UUID) -> Task:
    """Return a task with the fields of a request. Abort with 400 if one is wrong."""
    title = fields.get("title")
    if not isinstance(title, str) or not 1 <= len(title.strip()) <= 500:
        abort(400, "A title has 1 to 500 characters.")
    description = fields.get("description", "")
    if not isinstance(description, str) or len(description) > 20_000:
        abort(400, "A description has at most 20,000 characters.")
    status, priority = fields.get("status", "pending"), fields.get("priority", "none")
    if status not in STATUSES or priority not in PRIORITIES:
        abort(400, f"A status is one of {sorted(STATUSES)}, a priority one of {sorted(PRIORITIES)}.")
    try:
        due_date = date.fromisoformat(str(fields["due_date"])) if fields.get("due_date") else None
    except ValueError:
        abort(400, "A due date is a date YYYY-MM-DD.")
    labels = fields.get("labels", [])
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        abort(400, "Labels are a list of strings.")
    now = datetime.now(UTC)
    return Task(
        id=uuid.uuid4(),
        title=title.strip(),
        description=description,
        status=status,
        priority=priority,
        due_date=due_date,
        labels=labels,
        external_id=fields.get("external_id"),
        owner_id=owner_id,
        created_at=now,
        updated_at=now,
        completed_at=now if status == "completed" else None,
        version=1,
    )


@api.get("/tasks/<uuid:task_id>")
@login_required
def get_task(task_id: uuid.UUID):
    with open_session() as session:
        task = session.get(Task, task_id)
    if task is None or task.owner_id != g.user_id or task.deleted_at is not None:
        abort(404, "No such task.")
    return jsonify(task.to_json())


@api.get("/tasks")
@login_required
def list_tasks():
    page_size = min(request.args.get("page_size", 50, type=int), MAX_PAGE_SIZE)
    statement = (
        select(Task)
        .where(Task.owner_id == g.user_id, Task.deleted_at.is_(None))
        .order_by(Task.created_at.desc())
        .limit(page_size)
    )
    with open_session() as session:
        tasks = session.scalars(statement).all()
    return jsonify(tasks=[task.to_json() for task in tasks])


if __name__ == "__main__":
    Base.metadata.create_all(create_engine(os.environ["DATABASE_URL"]))
