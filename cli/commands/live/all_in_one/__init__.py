"""`trading live` without a subcommand: every process of the live side, in one terminal."""
