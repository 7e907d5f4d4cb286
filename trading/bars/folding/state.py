"""The state of a fold as bytes."""

from __future__ import annotations

import msgspec

from trading.bars.folding.minute import Minute
from trading.errors import DataError

VERSION = 1


class Counters(msgspec.Struct, array_like=True):
    """Ticks that made no bar in the ordinary way.

    Attributes:
        outside: Outside the session's hours.
        without_effect: Known already, or of a minute that a source has told as a whole.
        late: After their minute had closed; they made revisions.
        too_late: Longer after it than minutes are remembered; they made nothing.
        unsound: With a price or a size that cannot be.
    """

    outside: int = 0
    without_effect: int = 0
    late: int = 0
    too_late: int = 0
    unsound: int = 0


class StoredFold(msgspec.Struct, array_like=True, kw_only=True):
    """All of a fold's state, see `trading.bars.folding.fold.Fold`.

    Attributes:
        version: Of this type.
        made_with: The settings of the fold, as text.
        clock: The last time told.
        open: The session's first moment.
        close: Its end.
        closed: How many of its minutes have closed.
        forgotten: How many of them take no late ticks any more.
        symbols: The symbols in the order of their positions.
        minutes: Number, symbol's position and state of each remembered minute.
        values_from: The first minute of `values`.
        values: Closed minutes from there on.
        revisions: Symbol's position, length and first minute of bars, with their last revision.
        counters: What was counted.
    """

    version: int = VERSION
    made_with: str
    clock: int
    open: int
    close: int
    closed: int
    forgotten: int
    symbols: list[str]
    minutes: list[tuple[int, int, Minute]]
    values_from: int
    values: bytes
    revisions: list[tuple[tuple[int, int, int], int]]
    counters: Counters

    def encoded(self) -> bytes:
        """The state as bytes."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def decoded(cls, state: bytes, made_with: str) -> StoredFold:
        """The state that bytes are.

        Args:
            state: The bytes.
            made_with: The settings of the fold that is to go on from it.

        Raises:
            DataError: They are of another version, or were made with other settings.
        """
        try:
            stored = msgspec.msgpack.decode(state, type=cls)
        except msgspec.DecodeError as error:
            raise _strange(str(error)) from error
        if stored.version != VERSION:
            raise _strange(f"it is of version {stored.version}, and {VERSION} is known")
        if stored.made_with != made_with:
            raise _strange(f"it was made with {stored.made_with}, not with {made_with}")
        return stored


def _strange(problem: str) -> DataError:
    return DataError(
        "the state of open bars", problem, "remove it, and bars are rebuilt from the log of ticks"
    )
