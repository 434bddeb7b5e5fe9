"""The whole system on one machine: real Postgres, real Valkey, every service, nothing to install beside Python."""
