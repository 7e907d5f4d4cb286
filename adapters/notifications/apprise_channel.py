"""Channels by Apprise URLs, https://appriseit.com/services/.

Apprise says only whether all went well. Whether a failed attempt may be repeated is in what it
logs: nothing but this module depends on those words, and the tests against real servers fail when
they change.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import apprise
from pydantic import SecretStr

from adapters.notifications.protocol import Channel, Delivery
from trading.errors import ParameterError

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\Z")

_STATUS = re.compile(r"error=(\d{3})\b")
_MAIL_CODE = re.compile(r"Socket Exception: \(?(?:\{.*?\()?(\d{3}), ")
_NO_ANSWER = ("Read timed out", "Connection aborted", "RemoteDisconnected", "Connection broken")
_TIMED_OUT = "timed out"
_IN_SENDING_MAIL = 'Sending email to "'
_SENT_PART = "Sent "

_LOGGER = logging.getLogger("apprise")


class AppriseChannel:
    """One Apprise URL.

    Args:
        name: What people call the channel.
        url: Where it goes to, with its passwords.

    Raises:
        ParameterError: Apprise makes nothing of the URL; nothing of it is repeated.
    """

    def __init__(self, name: str, url: SecretStr) -> None:
        self.name = name
        asset = apprise.AppriseAsset(app_id="trading", app_desc="trading", async_mode=False)
        with _log_of_apprise():
            # Not `add`, which takes the commas between recipients for several URLs.
            service = apprise.Apprise.instantiate(url.get_secret_value(), asset=asset)
        if service is None:
            allowed = "a URL that Apprise knows"
            next_step = f"correct the URL of {name}, e.g. mailto://user:password@example.com"
            raise ParameterError("notify", f"{name}=**********", allowed, next_step)

        self._service = apprise.Apprise(servers=[service], asset=asset)

    def send(self, title: str, body: str) -> Delivery:
        """Send one notification.

        The other side has 15 seconds for each answer of a mail server, 4 for one of the web, or
        what `cto` and `rto` in the URL say.
        """
        with _log_of_apprise() as lines:
            is_sent = self._service.notify(
                title=title, body=body, body_format=apprise.NotifyFormat.TEXT
            )
        return Delivery("sent") if is_sent else _failure("\n".join(lines))


def channels(urls: Mapping[str, SecretStr]) -> dict[str, Channel]:
    """The channels of some Apprise URLs, by name.

    Raises:
        ParameterError: A name or a URL cannot be used.
    """
    for name in urls:
        if not NAME.match(name):
            allowed = "a channel's name (1 to 32 of a-z 0-9 _ -)"
            raise ParameterError("notify", name, allowed, "rename it, e.g. to mail")
    return {name: AppriseChannel(name, url) for name, url in urls.items()}


def _failure(log: str) -> Delivery:
    """What a failed attempt was, by Apprise's own log."""
    if _SENT_PART in log:
        return Delivery("unknown", "some of its recipients got it and others did not")
    status = _STATUS.search(log)
    if status is not None:
        return Delivery("refused", f"the service answered with HTTP {status.group(1)}")
    code = _MAIL_CODE.search(log)
    if code is not None:
        return Delivery("refused", f"the mail server answered with {code.group(1)}")
    if _IN_SENDING_MAIL in log and _TIMED_OUT in log:
        return Delivery("unknown", "it went out, and the mail server did not answer in time")
    if _IN_SENDING_MAIL in log or any(words in log for words in _NO_ANSWER):
        return Delivery("unknown", "it went out, and no answer came")
    return Delivery("refused", "there was no connection, or the login was refused")


@contextmanager
def _log_of_apprise() -> Iterator[list[str]]:
    """The lines that Apprise logs meanwhile; they hold addresses, and go nowhere else."""
    lines: list[str] = []
    handler = _Lines(lines)
    before = _LOGGER.level, _LOGGER.propagate
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(logging.DEBUG)
    _LOGGER.propagate = False
    try:
        yield lines
    finally:
        _LOGGER.removeHandler(handler)
        _LOGGER.setLevel(before[0])
        _LOGGER.propagate = before[1]


class _Lines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())
