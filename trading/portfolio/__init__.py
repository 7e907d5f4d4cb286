"""Positions, what they earned and at what risk, beside a benchmark."""
