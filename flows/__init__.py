"""The Prefect flows: one module per deployment, each thin over the domain."""
