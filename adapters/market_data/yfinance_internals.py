"""What this project needs of yfinance and yfinance does not document: here, and nowhere else.

It relies on `YfData.cache_get`, the `lru_cache` through which all its requests go: an answer, an
error included, is kept for the life of the process. `tests/adapters/test_yfinance_internals.py`
fails when that changes.
"""

from __future__ import annotations

import logging
import warnings

import yfinance as yf
from yfinance.data import YfData


def let_failures_through() -> None:
    """Have yfinance raise what it would otherwise log, and ask anew what it has asked before."""
    yf.config.debug.hide_exceptions = False
    # Else an answer of an earlier ingestion in this process would come back as new.
    YfData.cache_get.cache_clear()
    # What it logs as errors we raise, and report once; its warnings are to its authors.
    logging.getLogger("yfinance").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"yfinance\.")
