"""The flows of the bars: bronze."""
