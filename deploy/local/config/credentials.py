"""The stack's secrets: made at random at the first start, kept beside the data that they open."""

import base64
import json
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

from deploy.local.errors import LocalStackError
from deploy.local.host.private_files import write_private

_FILE = "secrets.json"
_ADMIN_EMAIL = "admin@example.com"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Credentials:
    """Everything that must not be known to others."""

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
    def of(cls, data_dir: Path) -> Self:
        """Reads a data directory's secrets, or makes them. Raises LocalStackError when the file is damaged or lost."""
        path = data_dir / _FILE
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            if (data_dir / "postgres").exists():
                message = (
                    f"{path} is gone, and with it the passwords of the data in {data_dir}: put it back, or start anew"
                )
                raise LocalStackError(message) from None
            made = cls._random()
            write_private(path, json.dumps(asdict(made), indent=2) + "\n")
            return made
        except (ValueError, TypeError) as error:
            expected = ", ".join(field.name for field in fields(cls))
            message = f"{path} is damaged ({error}); it must be a JSON object with {expected}"
            raise LocalStackError(message) from error

    @classmethod
    def _random(cls) -> Self:
        return cls(
            postgres_password=_secret(),
            auth_owner_password=_secret(),
            auth_app_password=_secret(),
            tasks_owner_password=_secret(),
            tasks_app_password=_secret(),
            redis_password=_secret(),
            key_encryption_key=base64.b64encode(secrets.token_bytes(32)).decode(),
            task_service_credential=f"task_service.{_secret()}",
            import_worker_credential=f"import_worker.{_secret()}",
            admin_email=_ADMIN_EMAIL,
            admin_password=_secret(),
        )


def _secret() -> str:
    """Returns 32 random bytes in letters that no URL needs to quote."""
    return secrets.token_urlsafe(32)
