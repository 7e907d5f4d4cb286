"""Datasets: their partitions, fingerprints, what is due, status, and result files."""
