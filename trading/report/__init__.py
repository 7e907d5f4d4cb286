"""The report: a portfolio as one HTML file that opens offline, in light and dark, wide and narrow.

Charts are drawn by Vega-Lite through vl-convert, as vector pictures inside the page, which so
needs no JavaScript to be read; that of Vega itself would make it a megabyte larger. Data in,
text out: nothing here reads or writes but `lake.market.report`.
"""
