"""The errors that people are told in one sentence, without a stack trace."""

from __future__ import annotations

from storage.errors import FileError, LocationError
from trading.errors import ParameterError, TradingError

EXPECTED = (TradingError, FileError)
"""What the domain and the storage raise on purpose; anything else is a bug and keeps its trace."""

USER_MISTAKES = (ParameterError, LocationError)
"""Those of them that another parameter would mend."""
