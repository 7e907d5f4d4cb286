"""One order from its decision on: made, sent until its outcome is known, ended."""
