"""The use cases' ports on Postgres, schema `auth`. Driver errors end here."""
