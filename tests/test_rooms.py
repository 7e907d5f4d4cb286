"""What may import what: the rooms' contracts, and what a partition's process must not load."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

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


DOCUMENTED = {
    "prefect": {
        "prefect", "prefect.artifacts", "prefect.blocks", "prefect.client.orchestration",
        "prefect.client.schemas", "prefect.deployments", "prefect.events", "prefect.exceptions",
        "prefect.logging", "prefect.runtime", "prefect.settings", "prefect.states",
    },
    "s3fs": {"s3fs"},
    "fsspec": {"fsspec", "fsspec.core", "fsspec.implementations", "fsspec.utils"},
    "yfinance": {"yfinance", "yfinance.exceptions"},
}  # fmt: skip
"""The modules of a library, and what is below them, that its documents show how to use."""

ADAPTERS = {
    "prefect": "fanout/prefect_engine/",
    "s3fs": "storage/s3fs_client.py",
    "fsspec": "storage/s3fs_client.py",
    "yfinance": "adapters/market_data/yfinance_internals.py",
}
"""Where alone a library's other modules are used, and names that begin with an underscore."""

PRIVATE_SETTING = re.compile("PREFECT__[A-Z_]+")
"""Variables with which Prefect's processes talk to each other."""


def sources() -> list[str]:
    """Every module of the rooms, relative to the project."""
    settings = tomllib.loads((project_root() / "pyproject.toml").read_text())
    rooms = settings["tool"]["importlinter"]["root_packages"]
    files = [file for room in rooms for file in (project_root() / room).rglob("*.py")]
    return sorted(file.relative_to(project_root()).as_posix() for file in files)


def undocumented(source: str, library: str) -> list[str]:
    """What a module uses of a library that its documents do not show."""
    tree = ast.parse(source)
    names = [*_imported(tree, library), *_named(tree, library)]
    found = [name for name in names if not _is_documented(name, library)]
    if library == "prefect":
        texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
        found += [t for t in texts if isinstance(t, str) and PRIVATE_SETTING.fullmatch(t)]
        found += [f"a class on {name}" for name in _base_classes(tree, library)]
    return found


def _imported(tree: ast.AST, library: str) -> Iterator[str]:
    """The full names of what is imported of the library, those of modules among them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _is_of(alias.name, library))
        if isinstance(node, ast.ImportFrom) and _is_of(node.module or "", library):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _named(tree: ast.AST, library: str) -> Iterator[str]:
    """Modules of the library that a text names as a whole, as for `runpy`."""
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and re.fullmatch(rf"{library}(\.[a-z_]+)+", text):
            yield text


def _base_classes(tree: ast.AST, library: str) -> Iterator[str]:
    imported = {name.rpartition(".")[2] for name in _imported(tree, library)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from (b.id for b in node.bases if isinstance(b, ast.Name) and b.id in imported)


def _is_of(name: str, library: str) -> bool:
    return name == library or name.startswith(f"{library}.")


def _is_documented(name: str, library: str) -> bool:
    """Whether a name is of a documented module, or is one that a documented package shows."""
    if any(part.startswith("_") for part in name.split(".")):
        return False
    if name == library or name.rpartition(".")[0] == library:
        # `from prefect import flow` is what the package shows; `prefect.flows` is a module.
        return name in DOCUMENTED[library] or not _is_module(name)
    return any(_is_of(name, module) for module in DOCUMENTED[library] - {library})


def _is_module(name: str) -> bool:
    package, _, module = name.rpartition(".")
    folders = [Path(p) for p in sys.modules[package].__path__] if package in sys.modules else []
    return any((f / f"{module}.py").exists() or (f / module).is_dir() for f in folders)


@pytest.mark.parametrize("library", sorted(ADAPTERS))
def test_what_a_library_does_not_document_is_used_in_its_adapter_alone(library: str) -> None:
    __import__(library)
    found = {
        file: names
        for file in sources()
        if not file.startswith(ADAPTERS[library])
        and (names := undocumented((project_root() / file).read_text(), library))
    }
    assert not found


@pytest.mark.parametrize("library", sorted(ADAPTERS))
def test_an_adapter_uses_something_undocumented(library: str) -> None:
    """Else it is none; and the look above would find it elsewhere."""
    __import__(library)
    own = [file for file in sources() if file.startswith(ADAPTERS[library])]
    texts = [(project_root() / file).read_text() for file in own]
    assert any(undocumented(text, library) or "noqa: SLF001" in text for text in texts)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from prefect import flow", []),
        ("from prefect.client.schemas.objects import FlowRun", []),
        ("import prefect.context", ["prefect.context"]),
        ("from prefect import context", ["prefect.context"]),
        ("from prefect.flow_engine import run_flow", ["prefect.flow_engine.run_flow"]),
        ("from prefect.states import _x", ["prefect.states._x"]),
        ("run('prefect.flow_engine')", ["prefect.flow_engine"]),
        ("x = 'PREFECT__FLOW_RUN_ID'", ["PREFECT__FLOW_RUN_ID"]),
        (
            "from prefect.client.orchestration import PrefectClient\nclass A(PrefectClient): ...",
            ["a class on PrefectClient"],
        ),
    ],
)
def test_the_look_for_what_is_undocumented_finds_it(source: str, found: list[str]) -> None:
    __import__("prefect")
    assert undocumented(source, "prefect") == found


def test_private_names_are_touched_in_adapters_alone() -> None:
    """Ruff's SLF001 finds every private name of another object; only adapters may say `noqa`."""
    found = {
        file
        for file in sources()
        if re.search("noqa:.*SLF001", (project_root() / file).read_text())
        and not file.startswith(tuple(ADAPTERS.values()))
    }
    assert not found
