"""Each value does what the README says: a row per value, and none without a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.charts import given
from tests.charts.live_rows import LIVE_ROWS
from tests.charts.rendering import CHART, Manifest, Values, merged, nested, render
from tests.charts.value_places import Row, amounts, container_resources
from tests.charts.value_rows import MOUNT, NEAR, SOURCE, SPREAD, TAINT, VOLUME
from tests.charts.value_rows import ROWS as OTHER_ROWS
from tests.charts.values_table import documented_values, leaves, readme

LIVE = ("stream", "windows", "signals", "alerts", "executor", "api")
COMPONENTS = {
    "server": "server",
    "backgroundServices": "background-services",
    "database.bundled": "postgres",
    "worker": "worker",
    "console": "console",
    "storage.embedded": "store",
    "hooks": "register",
    **{f"live.{component}": component for component in LIVE},
}
"""Block of values -> a component that it is for."""

EVERYTHING = merged(given.REPLICATED, given.LIVE_API)
HOOKS = {"register", "prepare-storage", "prepare-database", "test", "remove-jobs"}

ROWS = [*OTHER_ROWS, *LIVE_ROWS]
_SPREAD_OF = {**SPREAD, "labelSelector": {"matchLabels": {"team": "research"}}}
POD_SETTINGS: dict[str, tuple[Any, Callable[[Manifest, Manifest], Any], Any]] = {
    "labels": ({"a": "b"}, lambda pod, _: pod["metadata"]["labels"].get("a"), "b"),
    "annotations": (
        {"a": "b"}, lambda pod, _: pod["metadata"].get("annotations", {}).get("a"), "b"
    ),
    "nodeSelector": ({"a": "b"}, lambda pod, _: pod["spec"].get("nodeSelector"), {"a": "b"}),
    "tolerations": ([TAINT], lambda pod, _: pod["spec"].get("tolerations"), [TAINT]),
    "affinity": (NEAR, lambda pod, _: pod["spec"].get("affinity"), NEAR),
    "topologySpreadConstraints": (
        [_SPREAD_OF], lambda pod, _: pod["spec"].get("topologySpreadConstraints"), [_SPREAD_OF]
    ),
    "priorityClassName": ("high", lambda pod, _: pod["spec"].get("priorityClassName"), "high"),
    "securityContext": (
        {"runAsUser": 4711}, lambda pod, _: pod["spec"]["securityContext"]["runAsUser"], 4711
    ),
    "extraEnv": (
        [{"name": "A", "value": "b"}],
        lambda _, container: container.get("env", [None])[-1], {"name": "A", "value": "b"},
    ),
    "extraEnvFrom": (
        [SOURCE], lambda _, container: container.get("envFrom", [None])[-1], SOURCE
    ),
    "extraVolumes": ([VOLUME], lambda pod, _: pod["spec"]["volumes"][-1], VOLUME),
    "extraVolumeMounts": ([MOUNT], lambda _, container: container["volumeMounts"][-1], MOUNT),
}  # fmt: skip
"""Key of `pods` -> what it is set to, where it shows in pod and container, what is there then."""


def _covered() -> set[str]:
    of_components = {f"{block}.{key}" for block in COMPONENTS for key in ("pod", "resources")}
    return {row.path for row in ROWS} | {f"pods.{key}" for key in POD_SETTINGS} | of_components


def test_every_value_is_documented_and_has_a_row() -> None:
    documented = [value.path for value in documented_values()]
    assert len(documented) == len(set(documented))
    assert set(documented) == _covered()
    for leaf in leaves(yaml.safe_load((CHART / "values.yaml").read_text())):
        assert any(leaf == path or leaf.startswith(f"{path}.") for path in documented), leaf


def test_the_readme_is_up_to_date() -> None:
    text = (CHART / "README.md").read_text()
    assert text == readme(), "run `python -m tests.charts.values_table`"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)
def test_a_value_changes_what_the_readme_says(row: Row) -> None:
    assert row.shows(render(row.context, nested(row.path, row.value))) == row.expected
    assert row.shows(render(row.context)) != row.expected


@pytest.mark.parametrize("key", POD_SETTINGS)
def test_a_setting_of_pods_shows_in_all_or_in_one_component(key: str) -> None:
    _, shows, expected = POD_SETTINGS[key]
    # All at once: each shows in a place of its own, and the release is rendered once for them.
    every = {name: value for name, (value, _, _) in POD_SETTINGS.items()}

    def shown(values: Values) -> set[str]:
        release = render(EVERYTHING, values)
        return {
            component
            for component in release.workloads()
            if shows(release.pod(component), release.container(component)) == expected
        }

    everywhere = set(render(EVERYTHING).workloads())
    assert shown({}) == set()
    assert shown(nested("pods", every)) == everywhere
    for block, component in COMPONENTS.items():
        alone = shown(nested(f"{block}.pod", every))
        assert alone == (HOOKS if block == "hooks" else {component}), block


def test_a_components_own_setting_wins_over_that_of_all_pods() -> None:
    both = {"pods": {"nodeSelector": {"a": "all", "b": "all"}},
            "worker": {"pod": {"nodeSelector": {"a": "worker"}}}}  # fmt: skip
    release = render(both)
    assert release.pod("worker")["spec"]["nodeSelector"] == {"a": "worker", "b": "all"}
    assert release.pod("server")["spec"]["nodeSelector"] == {"a": "all", "b": "all"}


@pytest.mark.parametrize("block", COMPONENTS)
def test_resources_are_those_of_the_component(block: str) -> None:
    wanted = amounts("1750m")
    release = render(EVERYTHING, nested(f"{block}.resources", wanted))
    changed = {one for one in release.workloads() if container_resources(one)(release) == wanted}
    assert changed == (HOOKS if block == "hooks" else {COMPONENTS[block]})


def test_flow_runs_take_user_and_group_of_the_pods() -> None:
    own = render(nested("pods.securityContext", {"runAsUser": 4711, "runAsGroup": None}))
    assert (own.job_default("run_as_user"), own.job_default("run_as_group")) == (4711, None)


@pytest.mark.parametrize(
    "values", [{}, given.SAMPLE, given.OWN_API, given.INGRESS], ids=["", "sample", "api", "ui"]
)
def test_the_notes_hold_the_next_three_commands(values: Values) -> None:
    notes = render(values).notes
    assert "helm test demo --namespace research" in notes
    assert "deployment run trading-orchestrator/orchestrator --param num_contracts=10" in notes
    assert [f"{number}. " in notes for number in (1, 2, 3)] == [True] * 3
    assert ("port-forward" in notes) == (values in ({}, given.SAMPLE))
    assert ("sampleData.enabled=true" in notes) == (values != given.SAMPLE)


def test_the_notes_say_what_an_uninstallation_leaves() -> None:
    gone: Values = {"database": {"storage": {"whenDeleted": "Delete"}},
                    "storage": {"embedded": {"whenDeleted": "Delete"}}}  # fmt: skip
    assert "data of the database and the store" in render().notes
    assert "data of the" not in render(gone).notes
    assert "data of the" not in render(given.OWN_API, given.OWN_STORE).notes
    assert "ends flow runs" in render(gone).notes
    without_rights = render(gone, {"rbac": {"create": False}}).notes
    assert "3600 seconds after their end" in without_rights
    assert "ends flow runs" not in without_rights
    assert "--timeout 22m" in render(nested("hooks.testSeconds", 1000)).notes
