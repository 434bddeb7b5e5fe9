"""Credentials of one data directory: random, created at the first start, stored beside the data that they unlock."""

import base64
import json
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

from deploy.local.errors import LocalStackError
from deploy.local.host.private_files import write_private_file

_FILE_NAME = "secrets.json"
_ADMIN_EMAIL = "admin@example.com"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Credentials:
    """All secrets of one data directory."""

    postgres_password: str
    auth_owner_password: str
    auth_app_password: str
    tasks_owner_password: str
    tasks_app_password: str
    redis_password: str
    key_encryption_key: str
    task_service_credential: str
    import_worker_credential: str
    admin_email: str
    admin_password: str

    @classmethod
    def load_or_create(cls, data_dir: Path) -> Self:
        """Load the credentials of a data directory, or create them.

        Raise LocalStackError if the file is damaged, or if it is missing although the directory has data.
        """
        path = data_dir / _FILE_NAME
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            if (data_dir / "postgres").exists():
                message = (
                    f"{path} is missing. It holds the passwords of the data in {data_dir}: restore it, or use a new"
                    " --data-dir."
                )
                raise LocalStackError(message) from None
            created = cls._random()
            write_private_file(path, json.dumps(asdict(created), indent=2) + "\n")
            return created
        except (ValueError, TypeError) as error:
            expected = ", ".join(field.name for field in fields(cls))
            message = f"{path} is damaged ({error}). It must be a JSON object with {expected}."
            raise LocalStackError(message) from error

    @classmethod
    def _random(cls) -> Self:
        return cls(
            postgres_password=_random_secret(),
            auth_owner_password=_random_secret(),
            auth_app_password=_random_secret(),
            tasks_owner_password=_random_secret(),
            tasks_app_password=_random_secret(),
            redis_password=_random_secret(),
            key_encryption_key=base64.b64encode(secrets.token_bytes(32)).decode(),
            task_service_credential=f"task_service.{_random_secret()}",
            import_worker_credential=f"import_worker.{_random_secret()}",
            admin_email=_ADMIN_EMAIL,
            admin_password=_random_secret(),
        )


def _random_secret() -> str:
    """Return 32 random bytes in base64url, which needs no quoting in a URL."""
    return secrets.token_urlsafe(32)
