"""The image, built once for the whole test session, whatever number of workers share it."""

from __future__ import annotations

import fcntl
import os
import pickle
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.image.build import Root, build

PROJECT = Path(__file__).parents[2]

_PROBE = """
mount -t tmpfs tmpfs "$1" && mkdir "$1/upper" "$1/work" &&
mount -t overlay -o "lowerdir=/usr,upperdir=$1/upper,workdir=$1/work" overlay "$1"
"""


@pytest.fixture(scope="session")
def image() -> Root:
    """The image that the Dockerfile makes, in the session's folder and gone with it."""
    session = Path(os.environ["TEST_SERVER_FOLDER"])
    folder, built = session / "image", session / "image.pickle"
    with (session / "image.lock").open("a") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not built.exists():
            _skip_where_nothing_can_be_mounted(session)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            built.write_bytes(pickle.dumps(build(PROJECT, folder)))
        root: Root = pickle.loads(built.read_bytes())  # noqa: S301 - written above
        return root


def _skip_where_nothing_can_be_mounted(session: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("the image is built and run in mounts of its own, which needs root")
    if not Path("/lib").is_symlink():
        pytest.skip("this system keeps programs outside of /usr, unlike the image's")
    probe = session / "probe"
    probe.mkdir(exist_ok=True)
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--net", "--fork", "sh", "-ec", _PROBE, "sh", probe],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"this kernel allows no mounts and namespaces here: {done.stderr.strip()}")
