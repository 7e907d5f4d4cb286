"""What may import what: the rooms' contracts, and what a partition's process must not load."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
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


def documented_rooms() -> dict[str, set[str]]:
    """Room -> the rooms that it may import, as docs/how-it-works.md says."""
    text = (project_root() / "docs" / "how-it-works.md").read_text()
    rows = re.findall(r"^\| `(\w+)/` \| .* \| (.*) \|$", text, re.MULTILINE)
    rooms: dict[str, set[str]] = {}
    for room, allowed in rows:
        above = set(rooms)
        every = {name for name, _ in rows} - {room}
        words = {"nothing of ours": set(), "all above": above, "everything": every}
        rooms[room] = words.get(allowed, set(re.findall(r"`(\w+)`", allowed)))
    return rooms


def test_the_contracts_say_what_the_documented_table_of_rooms_says() -> None:
    tools = tomllib.loads((project_root() / "pyproject.toml").read_text())["tool"]
    rooms = documented_rooms()
    assert set(rooms) == set(tools["importlinter"]["root_packages"])
    assert set(rooms) == set(tools["uv"]["build-backend"]["module-name"])
    assert set(rooms) == set(tools["coverage"]["run"]["source_pkgs"])
    contracts = {
        room: set(contract["forbidden_modules"]) & set(rooms)
        for contract in tools["importlinter"]["contracts"]
        for room in contract["source_modules"]
    }
    forbidden = {room: set(rooms) - allowed - {room} for room, allowed in rooms.items()}
    assert contracts == {room: names for room, names in forbidden.items() if names}


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
