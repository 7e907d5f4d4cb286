"""Which sessions of a symbol to ask a source for, given what is stored."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
"""One truth value per session, shape (n,)."""

JOINED_WITHIN = 5
"""Sessions: asking once for a range with a small hole is kinder to the source than asking twice."""


def sessions_to_fetch(wanted: Mask, stored: Mask, available: Mask) -> Mask:
    """The wanted sessions that are not stored, and a stored one beside each run of them.

    The stored one shows whether the source has restated what it said (a split restates the whole
    history), and completes a session that was running when it was fetched. When nothing is
    missing, the last wanted session is asked for again for the same reasons.

    Args:
        wanted: Sessions asked for.
        stored: Sessions with at least one stored bar.
        available: Sessions that the source still has.
    """
    missing = wanted & ~stored
    known = np.flatnonzero(stored & available)
    chosen = missing & available
    if not missing.any():
        chosen[np.flatnonzero(wanted & available)[-1:]] = True
    elif len(known):
        runs = np.flatnonzero(missing & ~np.concatenate(([False], missing[:-1])))
        before = np.searchsorted(known, runs) - 1
        # With none before there is one after.
        chosen[known[np.maximum(before, 0)]] = True
    return chosen


def windows(chosen: Mask) -> list[tuple[int, int]]:
    """The chosen sessions as few ranges (first, last), both included, nearby ones joined."""
    positions = np.flatnonzero(chosen)
    if not len(positions):
        return []
    cuts = [
        (int(left), int(right))
        for left, right in pairwise(positions)
        if right - left > JOINED_WITHIN
    ]
    firsts = [int(positions[0]), *(right for _, right in cuts)]
    lasts = [*(left for left, _ in cuts), int(positions[-1])]
    return list(zip(firsts, lasts, strict=True))
