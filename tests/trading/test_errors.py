"""Errors are told once, whatever processes they have come through."""

from __future__ import annotations

import pickle

import pytest

from trading.errors import MAX_SHOWN, ParameterError


@pytest.mark.parametrize("value", ["AAPL", "it's", "ü\n", 1.5, None, ["a", "b"], "x" * 10_000])
def test_a_parameter_error_says_the_same_in_every_process(value: object) -> None:
    error = ParameterError("symbols", value, "a list", "pass one")
    copy = error
    for _ in range(3):
        copy = pickle.loads(pickle.dumps(copy))  # noqa: S301 - our own bytes
    assert str(copy) == str(error)
    assert (copy.parameter, copy.value, copy.allowed) == ("symbols", error.value, "a list")
    assert len(copy.value) <= MAX_SHOWN
