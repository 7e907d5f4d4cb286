"""Orders: what is asked for, what state it is in, at what price a bar fills it."""
