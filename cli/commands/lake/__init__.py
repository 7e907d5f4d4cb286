"""The commands of the lake: `trading lake ingest`, `status`, `gaps`, `redo`."""
