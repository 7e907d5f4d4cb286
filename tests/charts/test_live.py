"""The processes that run all day: each alone, each with the keys and the ways that it needs."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from api.security import OPEN_PATHS
from flows.boundary.settings import Settings, project_root
from tests.charts import given
from tests.charts.matrix import pods_of, selects
from tests.charts.rendering import CHART, Manifest, Release, Values, merged, nested, render
from tests.charts.value_places import ports
from trading.bars.intervals import Interval
from trading.risk.limits import RiskLimits

PROCESSES = {"stream", "windows", "signals", "alerts", "executor"}
LIVE = {*PROCESSES, "api"}
EVERYTHING = merged(given.SCRAPED, given.LIVE_INGRESS, given.NOTIFIED, given.AUTOSCALED)
HTTPS = 443
OPTIONS_OF_COMMANDS = {"TRADING_METRICS_PORT", "TRADING_METRICS_HOST", "TRADING_SERVER_DIR"}


def told(release: Release, secret: str) -> set[str]:
    """The components in whose pods a Secret's name occurs, flow runs among them."""
    components = {name for name, pod in pods_of(release) if f"'{secret}'" in repr(pod)}
    return components | ({"flow-run"} if f"'{secret}'" in repr(release.job_template()) else set())


def admits(release: Release, policy: str, port: int) -> set[str]:
    """The components of the release that a policy lets in on a port."""
    peers = [
        peer["podSelector"]["matchLabels"]
        for rule in release.one("NetworkPolicy", policy)["spec"].get("ingress", [])
        if {"protocol": "TCP", "port": port} in rule["ports"]
        for peer in rule["from"]
        if "podSelector" in peer
    ]
    return {name for name, pod in pods_of(release) if any(selects(one, pod) for one in peers)}


def test_nothing_of_it_is_there_until_it_is_asked_for() -> None:
    release = render(given.MONITORED)
    assert not (LIVE | {"prepare-database"}) & set(release.workloads())
    assert not release.all("PodMonitor")
    assert release.job_default("env_value_from") == []
    assert "TradingProcessGone" not in repr(release.manifests)


@pytest.mark.parametrize("component", sorted(PROCESSES))
def test_a_process_ends_before_the_next_one_begins(component: str) -> None:
    spec = render(EVERYTHING).one("Deployment", component)["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 15


def test_no_value_makes_a_second_executor() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())["live"]
    assert {name for name, block in values.items() if "replicas" in repr(block)} == {"api"}
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert "replicas" not in repr(schema["properties"]["live"]["properties"]["executor"])


def test_the_brokers_keys_are_the_executors_alone() -> None:
    release = render(given.BROKER, given.LIVE_API, given.OWN_STORE)
    assert told(release, "broker-keys") == {"executor"}
    assert told(release, "data-keys") == {"stream"}


def test_keys_of_a_broker_that_is_not_used_are_given_to_nobody() -> None:
    paper = merged(given.BROKER, nested("live.executor.broker.type", "paper"))
    assert told(render(paper), "broker-keys") == set()


def test_channels_are_the_alerts_own() -> None:
    assert told(render(EVERYTHING), "channels") == {"alerts"}


@pytest.mark.parametrize(
    ("values", "outward"),
    [
        (given.LIVE_API, set()),
        (merged(given.VENDOR, given.LIVE_API), {"stream"}),
        (merged(given.BROKER, given.LIVE_API), {"stream", "executor"}),
        (merged(given.NOTIFIED, given.LIVE_API), {"alerts"}),
        # Amazon's S3 is on the same port.
        (merged(given.LIVE_API, given.OWN_STORE), {"windows", "signals", "api"}),
        (merged(given.REPLAYED, given.OWN_STORE), {"stream", "windows", "signals"}),
        (
            merged(given.LIVE_API, given.OWN_STORE,
                   nested("storage.s3.endpointUrl", "https://s3.example.com:9000")),
            set(),
        ),
    ],
    ids=["paper", "vendor", "broker", "channels", "amazon", "replay", "own s3"],
)  # fmt: skip
def test_only_those_with_business_there_reach_the_internet(
    values: Values, outward: set[str]
) -> None:
    release = render(values)
    there = LIVE & set(release.workloads())
    assert {component for component in there if HTTPS in ports(component)(release)} == outward


@pytest.mark.parametrize("values", [given.LIVE_API, merged(given.REPLAYED, given.LIVE_API)])
def test_those_that_use_the_lake_have_its_keys_its_account_and_the_way_there(
    values: Values,
) -> None:
    release = render(values)
    store = release.one("Secret", "store")["metadata"]["name"]
    users = {"windows", "signals", "api"} | ({"stream"} if "replay" in repr(values) else set())
    assert told(release, store) & LIVE == users
    assert {one for one in LIVE if 8333 in ports(one)(release)} == users
    assert admits(release, "store", 8333) & LIVE == users
    accounts = {
        one for one in LIVE
        if release.pod(one)["spec"]["serviceAccountName"]
        == release.job_default("service_account_name")
    }  # fmt: skip
    assert accounts == users


def test_nobody_comes_in_but_to_the_api_and_for_metrics() -> None:
    plain = render(given.LIVE_API)
    for component in PROCESSES:
        assert "ingress" not in plain.one("NetworkPolicy", component)["spec"], component
    assert admits(plain, "api", 8000) <= {"test-live"}
    scraped = render(given.SCRAPED)
    for component in PROCESSES:
        (rule,) = scraped.one("NetworkPolicy", component)["spec"]["ingress"]
        assert rule["ports"] == [{"protocol": "TCP", "port": 9100}]


@pytest.mark.parametrize("component", ["api", "alerts"])
def test_the_api_and_the_alerts_reach_the_prefect_server(component: str) -> None:
    release = render(given.LIVE_API)
    assert 4200 in ports(component)(release)
    assert component in admits(release, "server", 4200)
    assert release.variables(component)["PREFECT_API_URL"]
    assert "secretKeyRef" in release.variables(component)["PREFECT_API_AUTH_STRING"]


def test_flow_runs_and_console_know_database_and_bus() -> None:
    release = render(given.LIVE)
    in_runs = release.job_default("env_value_from")
    assert {one["name"] for one in in_runs} == {"TRADING_DATABASE_URL", "TRADING_BUS_URL"}
    for one in in_runs:
        assert one in release.container("console")["env"]


def test_time_is_that_of_the_prices() -> None:
    """A process on the wall's clock would call made-up prices stale."""
    assert clocks(given.LIVE_API) == {"events"}
    assert clocks(merged(given.REPLAYED, given.LIVE_API)) == {"events"}
    assert clocks(merged(given.VENDOR, given.LIVE_API)) == {"wall"}
    assert clocks(merged(given.BROKER, given.LIVE_API)) == {"wall"}


def clocks(values: Values) -> set[str | None]:
    release = render(values)
    return {release.arguments(one).get("--clock") for one in ("alerts", "executor", "api")}


def test_probes_ask_what_answers_without_a_key() -> None:
    container = render(given.LIVE_API).container("api")
    asked = {kind: container[f"{kind}Probe"]["httpGet"]["path"]
             for kind in ("startup", "liveness", "readiness")}  # fmt: skip
    assert set(asked.values()) <= OPEN_PATHS
    # A database that is away is no reason to start the API again.
    assert asked["liveness"].endswith("/live")


def test_the_database_is_prepared_with_nothing_of_the_release() -> None:
    release = render(EVERYTHING)
    hook = release.one("Job", "prepare-database")
    container = release.container("prepare-database")
    assert "envFrom" not in container
    assert release.variables("prepare-database")["TRADING_DATABASE_URL"]["secretKeyRef"] == {
        "name": "platform", "key": "url",
    }  # fmt: skip
    weight = int(hook["metadata"]["annotations"]["helm.sh/hook-weight"])
    events = hook["metadata"]["annotations"]["helm.sh/hook"]
    for kind in ("ServiceAccount", "NetworkPolicy"):
        needed = release.one(kind, "prepare-database")["metadata"]["annotations"]
        assert needed["helm.sh/hook"] == events
        assert int(needed["helm.sh/hook-weight"]) < weight
        assert "before-hook-creation" in needed["helm.sh/hook-delete-policy"]


def test_helm_test_asks_for_an_order_where_one_comes_by_itself() -> None:
    made_up = render(given.LIVE_API).arguments("test-live")
    assert {"--order", "--account"} <= set(made_up)
    assert made_up["--account"] == "paper"
    assert made_up["--api"] == "http://demo-trading-fanout-api:80"
    vendor = render(given.VENDOR).arguments("test-live")
    assert not {"--order", "--account", "--api"} & set(vendor)
    release = render(given.LIVE_API)
    assert ports("test-live")(release) == {53, 5432, 8000}
    assert "test-live" in admits(release, "api", 8000)


def test_variables_are_settings() -> None:
    release = render(EVERYTHING, given.BROKER, nested("live.riskLimits", {"max_gross": "1.5"}))
    known = {f"TRADING_{field}".upper() for field in Settings.model_fields}
    assert {name for name in release.settings() if name.startswith("TRADING_")} <= known
    for component in LIVE:
        ours = {one for one in release.variables(component) if one.startswith("TRADING_")}
        assert ours <= known | OPTIONS_OF_COMMANDS, component


@pytest.mark.parametrize(
    "values",
    [
        {"max_drawdown": "0.2", "max_gross": "1.5", "max_orders_per_minute": 10},
        {"max_daily_loss": 0.03, "close_when_halted": False},
        {"max_order": 2500000},
    ],
)
def test_risk_limits_arrive_as_they_are_given(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = render(given.LIVE, nested("live.riskLimits", values))
    monkeypatch.setenv("TRADING_RISK_LIMITS", release.settings()["TRADING_RISK_LIMITS"])
    assert Settings().risk_limits == RiskLimits.model_validate(values)


def test_the_schema_knows_the_limits_and_the_intervals() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    live = schema["properties"]["live"]["properties"]
    assert set(live["riskLimits"]["properties"]) == set(RiskLimits.model_fields)
    intraday = [interval.value for interval in Interval if interval.is_intraday]
    assert live["intervals"]["items"]["enum"] == intraday
    assert live["executor"]["properties"]["interval"]["enum"] == ["", *intraday]


def test_the_lake_is_below_the_results_of_an_own_store() -> None:
    assert render().settings()["TRADING_LAKE_DIR"] == "s3://trading/lake"
    own = render(given.OWN_STORE, nested("storage.outputDir", "s3://ours/results/"))
    assert own.settings()["TRADING_LAKE_DIR"] == "s3://ours/results/lake"


def test_prometheus_finds_each_process_under_a_name_that_the_alerts_look_for() -> None:
    release = render(EVERYTHING)
    (monitor,) = release.all("PodMonitor")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    found = {name for name, pod in pods_of(release) if _chosen(monitor, pod)}
    assert found == PROCESSES
    for component in found:
        named = {port["name"] for port in release.container(component)["ports"]}
        assert endpoint["port"] in named
        job = release.pod(component)["metadata"]["labels"][monitor["spec"]["jobLabel"]]
        assert job.startswith("trading")


def _chosen(monitor: Manifest, pod: Manifest) -> bool:
    selector = monitor["spec"]["selector"]
    (among,) = selector["matchExpressions"]
    assert among["operator"] == "In"
    of_release = selects(selector["matchLabels"], pod)
    return of_release and pod["metadata"]["labels"].get(among["key"]) in among["values"]


def test_the_charts_alerts_are_those_of_the_server() -> None:
    ours = project_root() / "k8s" / "monitoring" / "alerts.yaml"
    copy = CHART / "files" / "alerts.yaml"
    assert copy.read_text() == ours.read_text(), f"copy {ours} to {copy}"
    groups = render(EVERYTHING).one("PrometheusRule", "alerts")["spec"]["groups"]
    assert groups[1:] == yaml.safe_load(ours.read_text())["groups"]
    down = {rule["alert"] for rule in groups[0]["rules"]}
    assert {f"TradingFanout{one.title()}Down" for one in LIVE} <= down


def test_the_notes_say_when_nobody_is_told() -> None:
    assert "Nobody is told of alerts" in render(given.LIVE).notes
    assert "Nobody is told of alerts" not in render(given.NOTIFIED).notes


def test_the_notes_say_how_to_make_the_first_key() -> None:
    notes = render(given.LIVE).notes
    assert "trading keys create desk --role admin" in notes
    assert "live.api.enabled=true" in notes
    assert "live.api.enabled=true" not in render(given.LIVE_API).notes
