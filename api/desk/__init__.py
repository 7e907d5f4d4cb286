"""The desk: pages that people look at, pushed to them as things change."""
