"""Makes the secrets of a compose installation, once: a folder for each container that needs some.

Each file is named like the setting that it holds (chassis.settings reads them so). What is there is left alone.
Standard library only: it runs in a bare Python image.
"""

import base64
import json
import os
import secrets
from pathlib import Path

ROOT = Path("/secrets")
APP_USER = 10001
DATABASE = "postgres:5432/taskmanager"


def token() -> str:
    return secrets.token_urlsafe(32)


def main() -> None:
    """Writes every folder, or none when they are complete."""
    complete = ROOT / "auth" / ".complete"
    if complete.exists():
        return
    administrator, redis = token(), token()
    roles = {name: token() for name in ("auth_owner", "auth_app", "tasks_owner", "tasks_app")}
    services = {
        "task_service": ["trust:read", "users:read"],
        "import_worker": ["imports:ingest"],
    }
    credentials = {name: f"{name}.{token()}" for name in services}
    urls = {name: f"postgresql://{name}:{password}@{DATABASE}" for name, password in roles.items()}
    administrator_url = f"postgresql://postgres:{administrator}@{DATABASE}"
    redis_url = f"redis://:{redis}@redis:6379/0"
    bootstrap = [{"name": name, "scopes": scopes, "credential": credentials[name]} for name, scopes in services.items()]
    auth = {
        "AUTH_DATABASE_URL": urls["auth_app"],
        "AUTH_KEY_ENCRYPTION_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
    }
    tasks = {"TASKS_DATABASE_URL": urls["tasks_app"]}
    write("postgres", {"password": administrator}, user=999)
    write("redis", {"password": redis, "valkey.conf": f"requirepass {redis}\nappendonly yes\ndir /data\n"}, user=999)
    write(
        "migrate",
        {
            **auth,
            **tasks,
            "AUTH_PROVISION_DATABASE_URL": administrator_url,
            "AUTH_OWNER_DATABASE_URL": urls["auth_owner"],
            "AUTH_BOOTSTRAP_ADMIN_PASSWORD": token(),
            "AUTH_BOOTSTRAP_SERVICES": json.dumps(bootstrap),
            "TASKS_PROVISION_DATABASE_URL": administrator_url,
            "TASKS_OWNER_DATABASE_URL": urls["tasks_owner"],
        },
    )
    write("tasks", {**tasks, "TASKS_REDIS_URL": redis_url, "TASKS_AUTH_CREDENTIAL": credentials["task_service"]})
    write(
        "worker",
        {"IMPORT_WORKER_REDIS_URL": redis_url, "IMPORT_WORKER_AUTH_CREDENTIAL": credentials["import_worker"]},
    )
    # Last: it says that all the others are there.
    write("auth", {**auth, ".complete": ""})


def write(folder: str, files: dict[str, str], *, user: int = APP_USER) -> None:
    """Writes files that only the container's user can read."""
    for name, content in files.items():
        path = ROOT / folder / name
        path.write_text(content)
        path.chmod(0o400)
        os.chown(path, user, user)


if __name__ == "__main__":
    main()
