"""Settings of the database connections of a service."""

import re
from typing import Annotated

from pydantic import AfterValidator

from chassis.database.url import PostgresUrl
from chassis.settings import Settings

_NAME = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}")


def _check_schema_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        message = (
            "must be a lower-case SQL name such as tasks: letters, digits and _, at most 63, not starting with pg_"
        )
        raise ValueError(message)
    return name


SchemaName = Annotated[str, AfterValidator(_check_schema_name)]


class DatabaseSettings(Settings):
    """Settings of a service that has a database. The subclass sets the default of the schema."""

    database_url: PostgresUrl
    """Postgres URL of the app role. libpq reads its parameters."""
    database_schema: SchemaName
    """Schema of the service. The commands provision and migrate read it too."""
    database_prepared_statements: bool = True
    """False behind a pooler in transaction mode, which mixes up prepared statements."""
