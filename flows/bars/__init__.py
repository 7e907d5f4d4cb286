"""The flows that make bars, indicators and signals: bronze to silver to gold."""
