"""Implementation of the repositories on Postgres, schema `auth`. Driver errors do not leave this package."""
