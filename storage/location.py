"""Which text may name a directory: the gate before a URL becomes a path, a request or a message.

A location stands in flow-run parameters, logs and artifacts, and in the commands that these tell
to run. So it is one line of bounded length, and holds no credentials.
"""

from __future__ import annotations

import re
import unicodedata

from storage.errors import LocationError

MAX_LOCATION = 1_024
"""Longest location in characters: an S3 key's limit, a quarter of a path's on Linux."""

_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of what is not seen: controls, direction marks, lone surrogates, line ends."""

_CREDENTIALS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a credentials block"


def checked_location(url: object, parameter: str) -> str:
    """Return `url` when it may name a directory; nothing is asked of any filesystem.

    Args:
        url: What the user passed.
        parameter: The user's name for it, e.g. `input_dir`, for the message.

    Raises:
        LocationError: It may not; the message repeats no credentials.
    """
    if not isinstance(url, str) or not url.strip():
        raise LocationError(parameter, url, "a local path or URL", "pass e.g. 'input'")
    scheme, remote, rest = url.partition("://")
    if remote and _may_hold_credentials(rest):
        shown = f"{scheme[:16]}://..."
        allowed = "a URL without user, password and query"
        raise LocationError(parameter, shown, allowed, f"leave them out and set {_CREDENTIALS}")
    if len(url) > MAX_LOCATION:
        allowed = f"at most {MAX_LOCATION} characters long"
        raise LocationError(parameter, url, allowed, "choose a shorter path or prefix")
    if any(unicodedata.category(character) in _UNPRINTABLE for character in url):
        raise LocationError(
            parameter, url, "printable text", "pass it without control characters and line ends"
        )
    if "::" in url:
        raise LocationError(
            parameter, url, "one location", "pass a local path or s3://bucket/prefix without '::'"
        )
    return url


def below(url: str, folder: str) -> str:
    """The location of a folder directly in a directory.

    Args:
        url: The directory, a path or URL.
        folder: The folder's name.
    """
    return f"{url.rstrip('/')}/{folder}"


def _may_hold_credentials(rest: str) -> bool:
    """Whether there is more after `://` than a host, a port and a path.

    Keys hold slashes, so that an `@` anywhere may end one; a colon may end a user's name.
    """
    authority = rest.partition("/")[0]
    return "?" in rest or "@" in rest or re.search(r":(?!\d*\Z)", authority) is not None
