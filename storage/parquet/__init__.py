"""Parquet as time series: read by column and window, within what a file may claim."""
