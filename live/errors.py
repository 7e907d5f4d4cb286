"""What can go wrong in the processes that run all day."""

from __future__ import annotations


class LiveError(Exception):
    """Base of what this room raises on purpose; the message is one sentence."""


class BusError(LiveError):
    """The bus did not do what it was asked for."""


class BusUnreachableError(BusError):
    """There was no connection for longer than a process waits for one."""


class BusRewoundError(BusError):
    """The bus came back without events that it had taken, as after a crash of its machine.

    Who published them ends, and begins again from what the bus and the database still have.
    """


class BusFullError(BusError):
    """The bus keeps no more: its memory or its disk is full."""
