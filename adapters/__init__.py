"""What talks to services of others: one protocol per kind of service."""
