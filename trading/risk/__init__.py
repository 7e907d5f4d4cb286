"""What may be traded and how much of it: the gate before every order, limits, sizing."""
