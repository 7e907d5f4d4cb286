"""What can go wrong in the processes that run all day."""

from __future__ import annotations


class LiveError(Exception):
    """Base of what this room raises on purpose; the message is one sentence."""


class BusError(LiveError):
    """The bus did not do what it was asked for."""


class BusUnreachableError(BusError):
    """There was no connection for longer than a process waits for one."""


class BusFullError(BusError):
    """The bus keeps no more: its memory or its disk is full."""
