from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from cli.stop_signals import StopSignals

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers_restored() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "code"), list(zip(NUMBERS, (130, 143, 143), strict=True)))
def test_each_signal_interrupts_and_decides_the_exit_code(number: int, code: int) -> None:
    # As in a command that a script started with `&`.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signals = StopSignals()
    signals.install()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    assert signals.exit_code == code
