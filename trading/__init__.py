"""The domain as functions over data: no Prefect, no network, no database, no files, no clock."""
