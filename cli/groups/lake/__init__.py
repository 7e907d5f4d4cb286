"""The commands `trading lake ...`."""
