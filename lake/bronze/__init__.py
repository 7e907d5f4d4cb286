"""Bronze: what sources said, raw, a file per source, interval, symbol and stretch of time."""
