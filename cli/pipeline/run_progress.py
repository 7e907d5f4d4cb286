"""How far a run of the orchestrator in this process is, as it tells itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fanout import Outcome

if TYPE_CHECKING:
    from fanout import Progress


class RunProgress:
    """Follows the partitions of one run; an `Observer` of its flow.

    Attributes:
        due: How many partitions are to be computed; None until the run has planned them.
    """

    def __init__(self) -> None:
        self.due: int | None = None
        self._attempts: dict[str, list[Progress]] = {}

    def planned(self, due: Mapping[str, int]) -> None:
        """Note how many partitions of each contract are to be computed."""
        self.due = sum(due.values())

    def ended(self, contract: str, progress: Progress) -> None:
        """Note how many partitions of a contract have ended; another attempt counts its own."""
        attempts = self._attempts.setdefault(contract, [])
        if not attempts or attempts[-1] is not progress:
            attempts.append(progress)

    def states(self) -> Counter[str]:
        """Partitions that have ended, by the name of a state that says how.

        What an attempt at a contract left undone is the next one's to do: only the last one's
        count as failed.
        """
        found: Counter[str] = Counter()
        for attempts in self._attempts.values():
            last = attempts[-1]
            found["Completed"] += sum(one.ended[Outcome.COMPLETED] for one in attempts)
            found["Failed"] += last.done - last.ended[Outcome.COMPLETED]
        return +found
