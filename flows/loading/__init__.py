"""The lake's copy in the database: what is due, loaded, verified."""
