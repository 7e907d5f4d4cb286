"""The fan-out engine: many deployment runs, created in bulk, run anywhere, watched together."""
