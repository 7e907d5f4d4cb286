"""Vendors that are asked by REST, each a thin client of its JSON interface."""
