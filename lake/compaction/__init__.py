"""A month's session files in one: how it is stored, read, and made."""
