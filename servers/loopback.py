"""The loopback interface, on which this project's own servers listen."""

from __future__ import annotations

import urllib.request
from collections.abc import MutableMapping

HOSTS = ("127.0.0.1", "localhost", "::1")


def bypass_proxies(environment: MutableMapping[str, str]) -> None:
    """Ask servers on the loopback interface directly, in this process and those it starts.

    A proxy would look for them on its own machine. Nothing is changed where the environment
    names no proxy: on macOS a lone `NO_PROXY` would hide those of the system's settings.

    Args:
        environment: This process's environment, `os.environ`.
    """
    proxies = urllib.request.getproxies_environment()
    exceptions = proxies.pop("no", "")
    if not proxies or exceptions.strip() == "*":
        return
    listed = [host for entry in exceptions.split(",") if (host := entry.strip())]
    bypassed = ",".join(dict.fromkeys([*listed, *HOSTS]))
    # Python's libraries look at the lower case first, other programs at the upper case.
    environment["no_proxy"] = environment["NO_PROXY"] = bypassed
