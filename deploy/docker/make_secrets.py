"""Generator of the secrets of a compose installation: one directory for each container that needs secrets.

Each file has the name of the setting that it holds, as chassis.settings reads it. Once all secrets exist, the program
changes nothing. It uses the standard library only, because it runs in a bare Python image.
"""

import base64
import json
import os
import secrets
from pathlib import Path

ROOT = Path("/secrets")
S3_DATA = Path("/data/s3")
APP_UID = 10001
DATA_SERVER_UID = 999
DATABASE = "postgres:5432/taskmanager"


def random_secret() -> str:
    return secrets.token_urlsafe(32)


def main() -> None:
    """Write what an earlier run has not completed."""
    if not (ROOT / "auth" / ".complete").exists():
        write_service_secrets()
    if not (ROOT / "s3" / ".complete").exists():
        write_s3_secrets()


def write_service_secrets() -> None:
    """Write the secrets of the services and of their data servers."""
    superuser_password, redis_password = random_secret(), random_secret()
    directories = service_secrets(
        superuser_url=f"postgresql://postgres:{superuser_password}@{DATABASE}",
        redis_url=f"redis://:{redis_password}@redis:6379/0",
        database=DATABASE,
    )
    write_directory("postgres", {"password": superuser_password}, uid=DATA_SERVER_UID)
    configuration = f"requirepass {redis_password}\nappendonly yes\ndir /data\n"
    write_directory("redis", {"password": redis_password, "valkey.conf": configuration}, uid=DATA_SERVER_UID)
    auth = directories.pop("auth")
    for directory, files in directories.items():
        write_directory(directory, files)
    # Write this directory last: its .complete file says that all directories are complete.
    write_directory("auth", {**auth, ".complete": ""})


def service_secrets(*, superuser_url: str, redis_url: str, database: str) -> dict[str, dict[str, str]]:
    """Return new secrets of the services and of the migrations: the files of each directory.

    `database` is the host, the port and the name of the database.
    """
    role_passwords = {name: random_secret() for name in ("auth_owner", "auth_app", "tasks_owner", "tasks_app")}
    scopes = {
        "task_service": ["trust:read", "users:read"],
        "import_worker": ["imports:ingest"],
    }
    credentials = {name: f"{name}.{random_secret()}" for name in scopes}
    role_urls = {name: f"postgresql://{name}:{password}@{database}" for name, password in role_passwords.items()}
    service_accounts = [{"name": name, "scopes": scopes[name], "credential": credentials[name]} for name in scopes]
    auth = {
        "AUTH_DATABASE_URL": role_urls["auth_app"],
        "AUTH_KEY_ENCRYPTION_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
    }
    tasks = {"TASKS_DATABASE_URL": role_urls["tasks_app"]}
    return {
        "auth": auth,
        "tasks": {**tasks, "TASKS_REDIS_URL": redis_url, "TASKS_AUTH_CREDENTIAL": credentials["task_service"]},
        "worker": {"IMPORT_WORKER_REDIS_URL": redis_url, "IMPORT_WORKER_AUTH_CREDENTIAL": credentials["import_worker"]},
        "migrate": {
            **auth,
            **tasks,
            "AUTH_PROVISION_DATABASE_URL": superuser_url,
            "AUTH_OWNER_DATABASE_URL": role_urls["auth_owner"],
            "AUTH_BOOTSTRAP_ADMIN_PASSWORD": random_secret(),
            "AUTH_BOOTSTRAP_SERVICES": json.dumps(service_accounts),
            "TASKS_PROVISION_DATABASE_URL": superuser_url,
            "TASKS_OWNER_DATABASE_URL": role_urls["tasks_owner"],
        },
    }


def write_s3_secrets() -> None:
    """Write the secrets of the profile s3: the identities of the server, and a shell file for its client."""
    access_key, secret_key = "task_service", random_secret()
    identity = {
        "name": "task_service",
        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
        "actions": ["Read:uploads", "Write:uploads", "List:uploads"],
    }
    environment = {
        "AWS_ENDPOINT": "http://s3:8333",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
    }
    files = {
        "identities.json": json.dumps({"identities": [identity]}),
        "environment": "".join(f"export {name}={value}\n" for name, value in environment.items()),
    }
    # A new volume belongs to root.
    os.chown(S3_DATA, APP_UID, APP_UID)
    write_directory("s3", {**files, ".complete": ""})


def write_directory(directory: str, files: dict[str, str], *, uid: int = APP_UID) -> None:
    """Write files that only the user of the container can read."""
    for name, content in files.items():
        path = ROOT / directory / name
        path.write_text(content)
        path.chmod(0o400)
        os.chown(path, uid, uid)


if __name__ == "__main__":
    main()
