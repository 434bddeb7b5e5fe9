"""The whole system on one machine: real Postgres, real Valkey and every service. Python is the only requirement."""
