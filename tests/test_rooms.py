"""What may import what: the rooms' contracts, and what a partition's process must not load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from flows.boundary.settings import project_root

HEAVY = (
    "pandas",
    "pandera",
    "scipy",
    "yfinance",
    "exchange_calendars",
    "matplotlib",
    "s3fs",
    "skfolio",
    "psycopg",
    "adbc_driver_manager",
    "alembic",
)


def test_the_rooms_import_only_what_their_contracts_allow() -> None:
    # In a process of its own: it turns off all loggers that exist.
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=project_root(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_a_partitions_process_loads_nothing_heavy() -> None:
    program = (
        "import sys, flows.analyze_time_partition_flow as leaf, json;"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_the_help_of_the_command_line_does_not_wait_for_prefect() -> None:
    program = "import sys, cli.app; print('prefect' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"
