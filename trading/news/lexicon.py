"""Words and phrases of finance with their sentiment, on VADER's scale from -4 to 4.

VADER's own words are those of social media: `share` is kind, `interest` is pleasant, `beat` is
violent. Here they mean what they mean in a headline about a company. A phrase comes before its
words, the longest first.
"""

from __future__ import annotations

VERSION = "1"
"""Grows when a word, a phrase or a value changes."""

WORDS: dict[str, float] = {
    # What VADER takes for feelings.
    "share": 0.0, "shares": 0.0, "shared": 0.0, "interest": 0.0, "interests": 0.0,
    "debt": -0.4, "gross": 0.0, "vice": 0.0, "chance": 0.0, "straight": 0.0, "energy": 0.0,
    "security": 0.0, "securities": 0.0, "treasury": 0.0, "treasure": 0.0, "trust": 0.0,
    "tesla": 0.0, "fool": 0.0, "crude": 0.0, "mine": 0.0, "tank": -2.2, "tanks": -2.2,
    "play": 0.0, "bull": 1.2, "bear": -1.2, "ratio": 0.0, "united": 0.0, "yields": 0.0,
    # What it does not know, or takes for the contrary.
    "beat": 1.8, "beats": 1.8, "beating": 1.6, "outperform": 2.0, "outperforms": 2.0,
    "outperformed": 1.8, "underperform": -2.0, "underperforms": -2.0, "underperformed": -1.8,
    "upgrade": 2.0, "upgrades": 2.0, "upgraded": 2.0, "downgrade": -2.2, "downgrades": -2.2,
    "downgraded": -2.2, "bullish": 2.2, "bearish": -2.2, "overweight": 1.2, "underweight": -1.2,
    "rally": 1.6, "rallies": 1.6, "rallied": 1.6, "surge": 1.8, "surges": 1.8, "surged": 1.8,
    "soar": 2.0, "soars": 2.0, "soared": 2.0, "jump": 1.4, "jumps": 1.4, "jumped": 1.4,
    "climb": 1.0, "climbs": 1.0, "climbed": 1.0, "rise": 0.9, "rises": 0.9, "rose": 0.9,
    "rebound": 1.3, "rebounds": 1.3, "record": 0.8, "profit": 1.2, "profits": 1.2,
    "profitable": 1.6, "buyback": 1.3, "buybacks": 1.3, "dividend": 0.6,
    "plunge": -2.4, "plunges": -2.4, "plunged": -2.4, "slump": -2.0, "slumps": -2.0,
    "slumped": -2.0, "tumble": -2.0, "tumbles": -2.0, "tumbled": -2.0, "sink": -1.6,
    "sinks": -1.6, "sank": -1.6, "fall": -1.0, "falls": -1.0, "fell": -1.0, "drop": -1.1,
    "drops": -1.1, "dropped": -1.1, "slide": -1.2, "slides": -1.2, "slid": -1.2,
    "selloff": -1.8, "sell-off": -1.8, "miss": -1.8, "misses": -1.8, "missed": -1.8,
    "loss": -1.6, "losses": -1.7, "layoff": -1.6, "layoffs": -1.6, "recall": -1.5,
    "recalls": -1.5, "probe": -1.5, "probes": -1.5, "subpoena": -1.8, "lawsuit": -1.5,
    "lawsuits": -1.5, "sues": -1.4, "sued": -1.4, "bankruptcy": -3.2, "default": -2.4,
    "defaults": -2.4, "delisted": -2.4, "delisting": -2.2, "restatement": -2.2, "dilution": -1.6,
    "impairment": -1.6, "writedown": -1.8, "write-down": -1.8, "headwind": -1.0,
    "headwinds": -1.0, "tailwind": 1.0, "tailwinds": 1.0, "shortfall": -1.6, "weak": -1.4,
    "strong": 1.6, "strongest": 1.9, "halts": -1.2, "halted": -1.2, "resigns": -1.1,
}  # fmt: skip

PHRASES: dict[str, float] = {
    "beats estimates": 2.6, "beat estimates": 2.6, "beats expectations": 2.6,
    "beat expectations": 2.6, "tops estimates": 2.4, "tops expectations": 2.4,
    "above estimates": 1.8, "above expectations": 1.8, "better than expected": 2.2,
    "better-than-expected": 2.2, "misses estimates": -2.6, "missed estimates": -2.6,
    "misses expectations": -2.6, "missed expectations": -2.6, "falls short": -2.0,
    "below estimates": -1.8, "below expectations": -1.8, "worse than expected": -2.2,
    "worse-than-expected": -2.2, "raises guidance": 2.6, "raised guidance": 2.6,
    "lifts guidance": 2.6, "raises outlook": 2.4, "raises forecast": 2.4, "lifts forecast": 2.4,
    "cuts guidance": -2.8, "cut guidance": -2.8, "lowers guidance": -2.6, "cuts outlook": -2.6,
    "cuts forecast": -2.6, "lowers forecast": -2.4, "withdraws guidance": -2.4,
    "profit warning": -2.8, "going concern": -3.0, "raises dividend": 2.0,
    "increases dividend": 2.0, "cuts dividend": -2.4, "suspends dividend": -2.6,
    "short interest": -0.6, "short interest surges": -1.8, "short interest rises": -1.4,
    "short interest jumps": -1.6, "short interest falls": 1.0, "short interest drops": 1.0,
    "short seller": -1.4, "short sellers": -1.4, "short report": -2.0, "short squeeze": 0.4,
    "losses narrow": 1.4, "loss narrows": 1.4, "losses widen": -2.0, "loss widens": -2.0,
    "costs rise": -1.0, "costs surge": -1.6, "costs fall": 1.0, "debt falls": 1.0,
    "debt rises": -1.0, "unemployment rises": -1.2, "unemployment falls": 1.0,
    "record high": 1.8, "record low": -1.8, "all-time high": 1.8, "52-week high": 1.4,
    "52-week low": -1.6, "price target raised": 1.8, "raises price target": 1.8,
    "price target cut": -1.8, "cuts price target": -1.8, "data breach": -2.2,
    "class action": -1.8, "accounting fraud": -3.4, "wins approval": 2.2, "fda approval": 2.2,
    "fails trial": -2.6, "trial fails": -2.6, "steps down": -1.0, "job cuts": -1.4,
    "cost cuts": 0.4, "rate cut": 0.6, "rate hike": -0.6, "trading halt": -1.2,
}  # fmt: skip
