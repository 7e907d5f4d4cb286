"""The articles about one symbol as a context series, `NEWS`: its score as of any moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from trading.arrays import Floats, Timestamps
from trading.news.score import news_score

HALF_LIFE_HOURS = 24.0
"""Age at which an article counts half, where a strategy's parameters do not say."""


def half_life(parameters: BaseModel) -> np.timedelta64:
    """The half-life that a strategy asks for by its parameter `news_half_life_hours`."""
    hours = getattr(parameters, "news_half_life_hours", HALF_LIFE_HOURS)
    return np.timedelta64(round(hours * 3_600), "s")


@dataclass(frozen=True, slots=True, eq=False)
class NewsSeries:
    """The sentiments of a symbol's articles, in order of time and then of their names.

    Attributes:
        articles: The articles' ids, each once, shape (n,).
        known_at: When each could first be acted on for this symbol, UTC, shape (n,).
        values: Their sentiments, from -1 to 1, shape (n,).
    """

    articles: npt.NDArray[np.object_]
    known_at: Timestamps
    values: Floats

    @classmethod
    def of(cls, rows: Iterable[tuple[str, np.datetime64, float]]) -> Self:
        """The series of articles that are given in any order: id, moment and sentiment."""
        ordered = sorted(rows, key=lambda row: (row[1], row[0]))
        return cls(
            np.array([article for article, _, _ in ordered], object),
            np.array([moment for _, moment, _ in ordered], "datetime64[ns]"),
            np.array([value for _, _, value in ordered], np.float64),
        )

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: npt.NDArray[np.bool_] | slice) -> Self:
        """The articles of a mask or slice."""
        return type(self)(self.articles[rows], self.known_at[rows], self.values[rows])

    def until(self, moment: np.datetime64) -> Self:
        """The articles that could be acted on at a moment."""
        return self[: int(np.searchsorted(self.known_at, moment, side="right"))]

    def with_new(self, others: NewsSeries) -> NewsSeries:
        """These and the articles of `others` that are not among them.

        What is said here of an article stays: nothing that was known of the past changes.
        """
        known = set(self.articles.tolist())
        new = others[np.array([a not in known for a in others.articles.tolist()], np.bool_)]
        if not len(new):
            return self
        return NewsSeries.of([*_rows(self), *_rows(new)])

    def at(self, name: str, moments: Timestamps, parameters: BaseModel) -> Floats:  # noqa: ARG002 - as of any series beside the bars
        """The score as of each moment, from -1 to 1; NaN where no article counts.

        Args:
            name: What the strategy calls the series.
            moments: When each bar's signal is decided, shape (n,).
            parameters: The strategy's, which may say a half-life.
        """
        return news_score(moments, self.known_at, self.values, half_life(parameters))


def _rows(series: NewsSeries) -> Iterable[tuple[str, np.datetime64, float]]:
    return zip(series.articles.tolist(), series.known_at, series.values.tolist(), strict=True)
