"""The domain as functions over data: no Prefect, network, database, files or clock of its own."""
