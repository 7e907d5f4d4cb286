"""Start a Python module as a child process that cannot outlive us, and stop it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

STOP_SECONDS = 10.0
"""How long a child may take to stop on SIGTERM; the server flushes its events meanwhile."""

_LOG_TAIL_BYTES = 4096


def start_child(
    module: str,
    arguments: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str],
    stdin: int = subprocess.PIPE,
    keep_open: Sequence[int] = (),
    append: bool = False,
) -> subprocess.Popen[bytes]:
    """Start `python -m module arguments` in a session of its own, under a lifeline.

    Its own session keeps the terminal's Ctrl-C away from it: the parent stops it, after what
    still needs it has ended.

    Args:
        module: A module that can be run as `__main__`.
        arguments: Its command-line arguments.
        log: Where its output goes.
        env: Its whole environment.
        stdin: Its lifeline: the child ends when this reaches its end of file. The default is a
            pipe that lives as long as the returned object or, at most, this process.
        keep_open: File descriptors that the child inherits, such as that of a held lock.
        append: Whether the log is continued; otherwise it is replaced.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab" if append else "wb") as output:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and modules, no shell
            [sys.executable, "-m", "servers.lifeline", module, *arguments],
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            pass_fds=keep_open,
            start_new_session=True,
        )


def stop_child(child: subprocess.Popen[bytes]) -> None:
    """Stop a child of `start_child` and everything it started; safe to call twice."""
    with contextlib.suppress(ProcessLookupError):
        child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    finally:
        # What the child started is in its group still, whether or not the child is gone.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if child.stdin is not None:
            child.stdin.close()


def listens(child: subprocess.Popen[bytes], port: int) -> bool:
    """Whether the child, or a process below it, is what listens on the TCP port.

    Whoever answers there otherwise is somebody else: between choosing a port and opening it
    another process may take it.
    """
    import psutil  # noqa: PLC0415 - --help stays quick

    try:
        top = psutil.Process(child.pid)
        family = [top, *top.children(recursive=True)]
        sockets = [socket for process in family for socket in process.net_connections("tcp")]
    except psutil.NoSuchProcess:
        return False
    return any(s.status == psutil.CONN_LISTEN and s.laddr.port == port for s in sockets)


@contextlib.contextmanager
def stopping(child: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Stop the child on leaving the block, however it is left."""
    try:
        yield child
    finally:
        stop_child(child)


def log_tail(log: Path, lines: int = 8) -> str:
    """The last lines of a child's log, for the message that says it died."""
    if not log.exists():
        return "(no log)"
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
        text = file.read().decode(errors="replace")
    kept = [line for line in text.splitlines() if line.strip()][-lines:]
    return "\n".join(f"  {line}" for line in kept) or "  (empty log)"


def is_alive(pid: int) -> bool:
    """Whether a process runs, and is none that ended and waits for its parent to notice."""
    import psutil  # noqa: PLC0415 - --help stays quick

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except (psutil.NoSuchProcess, ValueError):
        return False
