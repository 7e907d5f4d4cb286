"""Looks at services: whether they answer, what they say of themselves."""
