"""Between the lake, which has all, and the database, which keeps a fast copy of the last years."""
