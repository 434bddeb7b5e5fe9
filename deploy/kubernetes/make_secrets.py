"""Generator of the Secrets that the manifests name.

Run it as `python -m deploy.kubernetes.make_secrets NAMESPACE | kubectl create -f -`.

The environment gives the servers outside the cluster:

POSTGRES_URL: URL of the administrator, postgresql://postgres:password@host:5432/taskmanager. Without it, the Secrets
    are for the Postgres of the overlay dev.
REDIS_URL: redis://:password@host:6379. Without it, the Secrets are for the Valkey of the overlay dev.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

from chassis.database.url import check_postgres_url
from chassis.settings import check_redis_url, check_text
from deploy.docker.make_secrets import random_secret, service_secrets

POOLER = "pgbouncer:6432/taskmanager"

Secrets = dict[str, dict[str, str]]


def make_secrets(*, postgres_url: str = "", redis_url: str = "") -> Secrets:
    """Return the files of each Secret, with new passwords."""
    servers: Secrets = {}
    if not postgres_url:
        password = random_secret()
        servers["postgres"] = {"password": password}
        postgres_url = f"postgresql://postgres:{password}@postgres:5432/taskmanager"
    if not redis_url:
        password = random_secret()
        servers["redis"] = {"valkey.conf": f"requirepass {password}\nappendonly yes\ndir /data\n"}
        redis_url = f"redis://:{password}@redis:6379"
    address = urlsplit(postgres_url)
    hosts = address.netloc.rpartition("@")[2]
    query = f"?{address.query}" if address.query else ""
    database = f"{hosts}{address.path}{query}"
    files = service_secrets(superuser_url=postgres_url, redis_url=f"{redis_url}/0", database=database)
    migrate, auth, tasks = files["migrate"], files["auth"], files["tasks"]
    return {
        **servers,
        "auth-service": {**auth, "AUTH_DATABASE_URL": _through_pooler(auth["AUTH_DATABASE_URL"])},
        "task-service": {
            **tasks,
            "TASKS_DATABASE_URL": _through_pooler(tasks["TASKS_DATABASE_URL"]),
            # The pooler's transaction mode has no LISTEN.
            "TASKS_DIRECT_DATABASE_URL": tasks["TASKS_DATABASE_URL"],
        },
        "import-worker": files["worker"],
        "gateway": {"GATEWAY_RATE_LIMIT_STORAGE_URL": f"{redis_url}/1"},
        "pgbouncer": {"userlist.txt": _user_list(auth["AUTH_DATABASE_URL"], tasks["TASKS_DATABASE_URL"])},
        **{f"provision-{name}": _select(migrate, name, "PROVISION_DATABASE_URL", "DATABASE_URL") for name in PREFIXES},
        "migrate-auth": _select(migrate, "auth", "DATABASE_URL", "KEY_ENCRYPTION_KEY", "BOOTSTRAP_"),
        "migrate-tasks": _select(migrate, "tasks", "DATABASE_URL"),
    }


PREFIXES = {"auth": "AUTH_", "tasks": "TASKS_"}


def _select(files: dict[str, str], service: str, *names: str) -> dict[str, str]:
    prefix = PREFIXES[service]
    starts = tuple(f"{prefix}{name}" for name in (*names, "OWNER_DATABASE_URL"))
    return {name: value for name, value in files.items() if name.startswith(starts)}


def _through_pooler(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.username}:{parts.password}@{POOLER}"


def _user_list(*urls: str) -> str:
    return "".join(f'"{urlsplit(url).username}" "{urlsplit(url).password}"\n' for url in urls)


def manifest(namespace: str, secrets: Secrets) -> dict[str, object]:
    """Return a List of Secrets."""
    items = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "stringData": files,
        }
        for name, files in secrets.items()
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.kubernetes.make_secrets",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("namespace", metavar="NAMESPACE", help="namespace of the Secrets")
    namespace = parser.parse_args().namespace
    try:
        postgres_url = _read_url("POSTGRES_URL", check_postgres_url)
        redis_url = _read_url("REDIS_URL", _check_redis_server)
    except ValueError as error:
        parser.error(str(error))
    json.dump(manifest(namespace, make_secrets(postgres_url=postgres_url, redis_url=redis_url)), sys.stdout, indent=2)


def _read_url(variable: str, check: Callable[[str], None]) -> str:
    """Return the URL of a variable, empty if it is not set.

    Raise ValueError if a client would misread it. The message does not quote it.
    """
    url = os.environ.get(variable, "").rstrip("/")
    try:
        check_text(url)
        if url:
            check(url)
    except ValueError as error:
        raise ValueError(f"{variable}: {error}") from None
    return url


def _check_redis_server(url: str) -> None:
    check_redis_url(url)
    if urlsplit(url).path or urlsplit(url).query:
        message = "must end with the port: each Secret gets the number of its database"
        raise ValueError(message)


if __name__ == "__main__":
    main()
