"""Logs of the processes that run all day: one JSON object a line, a file for each day.

A line has `at` (UTC), `level`, `service`, `message`, and whatever a record was given as `extra`:
`order_id`, `run_id`, `symbol`. Values whose name tells that they are secret are masked, wherever
they are.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from logging.handlers import TimedRotatingFileHandler
from pathlib import Path

KEPT_DAYS = 30

_PLAIN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_SECRET = re.compile(
    r"(?i)((?:api[_-]?key|secret(?:[_-]key)?|password|token|authorization)[\"']?\s*[:=]\s*[\"']?"
    r"(?:Bearer\s+|Basic\s+)?)[^\s\"',;&]+"
)
_LOGIN = re.compile(r"(://[^/\s:@]*:)[^@/\s]+@")


class JsonFormatter(logging.Formatter):
    """A record as one JSON object.

    Args:
        service: The process's name.
    """

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        told: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self.service,
            "logger": record.name,
            "message": masked(record.getMessage()),
        }
        for name, value in record.__dict__.items():
            if name not in _PLAIN:
                told[name] = "***" if _is_secret(name) else masked(str(value))
        if record.exc_info:
            told["error"] = masked(self.formatException(record.exc_info))
        return json.dumps(told, ensure_ascii=False)


def _is_secret(name: str) -> bool:
    return re.search(r"(?i)key|secret|password|token|authorization", name) is not None


def masked(text: str) -> str:
    """The text without the secrets that can be told by what stands before them."""
    return _LOGIN.sub(r"\1***@", _SECRET.sub(r"\1***", text))


def log_to(folder: Path | None, service: str, level: int = logging.INFO) -> None:
    """Send this process's logs to a file of its own, or to standard error without a folder.

    Args:
        folder: Where the files are; a new one begins at midnight UTC, and the last
            `KEPT_DAYS` are kept.
        service: The process's name.
        level: The least that is told.
    """
    handler: logging.Handler
    if folder is None:
        handler = logging.StreamHandler()
    else:
        folder.mkdir(parents=True, exist_ok=True)
        handler = TimedRotatingFileHandler(
            folder / f"{service}.log", when="midnight", utc=True, backupCount=KEPT_DAYS
        )
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # What these tell of each request is nothing that anybody needs, and may hold a key.
    for name in ("httpx", "httpcore", "websockets", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
