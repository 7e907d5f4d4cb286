"""A symbol's news score: the mean sentiment of its articles, newer ones weighted more.

At a moment t it is the sum of s_i * 2^((u_i - t) / h) over the sum of the weights, of the articles
with t - max_age < u_i <= t, where s_i is an article's sentiment, u_i when it could first be acted
on, and h the half-life.
"""

from __future__ import annotations

import numpy as np

from trading.arrays import Floats, Timestamps

MAX_HALF_LIVES = 7
"""Half-lives after which an article counts no more: it would weigh less than a hundredth."""


def news_score(
    stamps: Timestamps,
    usable_from: Timestamps,
    sentiments: Floats,
    half_life: np.timedelta64,
) -> Floats:
    """The score as of each stamp, shape (n,), from -1 to 1; NaN where no article counts.

    Args:
        stamps: When scores are wanted, i.e. when what is made of them is decided, shape (n,).
        usable_from: When each article could first be acted on, increasing, shape (m,).
        sentiments: Of the articles, shape (m,).
        half_life: Age at which an article counts half.

    Raises:
        ValueError: The articles are not in order, or the half-life is not positive.
    """
    if half_life <= np.timedelta64(0, "ns") or np.any(usable_from[1:] < usable_from[:-1]):
        raise ValueError("the articles are not in order of time, or the half-life is not positive")
    begins = np.searchsorted(usable_from, stamps - MAX_HALF_LIVES * half_life, side="right")
    ends = np.searchsorted(usable_from, stamps, side="right")
    # Between two articles' coming and going all weights shrink alike, and the mean stays.
    windows, places = np.unique(np.stack([begins, ends]), axis=1, return_inverse=True)
    means = [_mean(usable_from[a:b], sentiments[a:b], half_life) for a, b in windows.T]
    return np.array(means, np.float64)[places.ravel()] if means else np.empty(0)


def _mean(usable_from: Timestamps, sentiments: Floats, half_life: np.timedelta64) -> float:
    if not len(sentiments):
        return np.nan
    weights = np.exp2((usable_from - usable_from[-1]) / half_life)
    # A sum and no dot product: its bits do not depend on the articles that lie before the window.
    return float(np.clip((weights * sentiments).sum() / weights.sum(), -1.0, 1.0))
