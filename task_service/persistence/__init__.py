"""Schema `tasks` in Postgres. Driver exceptions end here."""
