"""Silver: bars of every interval within sessions and over sessions, made from bronze alone."""
