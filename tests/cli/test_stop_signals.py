from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder

import pytest

import flows.boundary.settings
from cli import stop_signals
from cli.settings import installation
from cli.stop_signals import StopSignals, stopping_once

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


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(("same_seconds", "expected"), [(0.0, ["again"] * 2), (1e9, [])])
def test_only_the_first_of_many_interrupts_and_what_it_began_comes_to_its_end(
    number: int, same_seconds: float, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when the second is asyncio's own: that breaks off the clean-up."""
    monkeypatch.setattr(stop_signals, "SAME_SECONDS", same_seconds)
    StopSignals().install()
    said: list[str] = []
    ended: list[str] = []

    async def body() -> None:
        with stopping_once(lambda: said.append("again")):
            try:
                signal.raise_signal(number)
                await asyncio.Event().wait()
            finally:
                for _ in range(2):
                    signal.raise_signal(number)
                    await asyncio.sleep(0)
                ended.append("clean")

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(body())
    assert said == expected
    assert ended == ["clean"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class InterruptedImport(MetaPathFinder):
    """Sends the signal in the middle of one module's import, which takes it for its own error."""

    def __init__(self, module: str, number: int) -> None:
        self.module, self.number = module, number

    def find_spec(self, name: str, *_: object) -> None:
        if name == self.module:
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(self.number)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_during_the_import_of_prefect_is_not_lost(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails without `interrupt_held`: the import goes on, and so does the command."""
    StopSignals().install()
    monkeypatch.delitem(sys.modules, "flows.boundary.settings")
    monkeypatch.setattr(flows.boundary, "settings", flows.boundary.settings)
    monkeypatch.setattr(
        sys, "meta_path", [InterruptedImport("flows.boundary.settings", number), *sys.meta_path]
    )
    with pytest.raises(KeyboardInterrupt):
        installation()
    assert "flows.boundary.settings" in sys.modules, "the import came to its end"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
