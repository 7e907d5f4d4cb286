"""Flows that look at accounts; none of them sends an order."""
