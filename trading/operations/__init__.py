"""How an installation does: what is checked, and what follows from it."""
