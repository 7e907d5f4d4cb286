"""What the desk reads of the database: one module a subject, each a few statements."""
