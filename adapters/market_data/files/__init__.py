"""Bars from files as vendors deliver them: CSV or Parquet, one file per symbol."""
