"""One module per command of `trading`."""
