"""What each value of the chart shows in: a row per value."""

# ruff: noqa: FBT003 - a value may be a boolean

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.charts import given
from tests.charts.rendering import CHART, FULLNAME, Manifest, Release, Values, merged


@dataclass(frozen=True, slots=True)
class Row:
    """What one value changes.

    Attributes:
        path: The value's dotted path.
        value: What it is set to.
        shows: What of the release it shows in.
        expected: What is there then, and is not there without it.
        context: Values that must be set for it to matter.
    """

    path: str
    value: Any
    shows: Callable[[Release], Any]
    expected: Any
    context: Values = field(default_factory=dict)


def _metadata(key: str) -> Callable[[Release], Any]:
    """A label or annotation `owner` of all resources and pods."""

    def owners(release: Release) -> set[Any]:
        pods = [release.pod(component) for component in release.workloads()]
        return {one["metadata"].get(key, {}).get("owner") for one in [*release.manifests, *pods]}

    return owners


def _images(release: Release) -> set[str]:
    containers = {release.container(component)["image"] for component in release.workloads()}
    return {*containers, release.job_default("image")}


def _pull_policies(release: Release) -> set[str]:
    of_jobs = release.job_default("image_pull_policy")
    return {release.container(one)["imagePullPolicy"] for one in release.workloads()} | {of_jobs}


def _pull_secrets(release: Release) -> list[Any]:
    pods = [release.pod(one)["spec"].get("imagePullSecrets", []) for one in release.workloads()]
    different = [*pods, release.job_default("image_pull_secrets")]
    return different[0] if all(one == different[0] for one in different) else different


def _secret_of(component: str, variable: str, part: str) -> Callable[[Release], Any]:
    return lambda release: release.variables(component).get(variable, {})["secretKeyRef"][part]


def _variable(component: str, name: str) -> Callable[[Release], Any]:
    return lambda release: release.variables(component).get(name)


def _argument(component: str, name: str) -> Callable[[Release], Any]:
    return lambda release: release.arguments(component).get(name)


def _setting(name: str) -> Callable[[Release], Any]:
    return lambda release: release.settings().get(name)


def _job(variable: str) -> Callable[[Release], Any]:
    return lambda release: release.job_default(variable)


def _exists(kind: str, suffix: str) -> Callable[[Release], bool]:
    return lambda release: release.has(kind, suffix)


def _spec(kind: str, suffix: str, *path: str) -> Callable[[Release], Any]:
    def found(release: Release) -> Any:
        value: Any = release.one(kind, suffix)["spec"]
        for key in path:
            value = value.get(key) if isinstance(value, dict) else value[int(key)]
        return value

    return found


def _annotation(kind: str, suffix: str, name: str) -> Callable[[Release], Any]:
    return lambda release: release.one(kind, suffix)["metadata"].get("annotations", {}).get(name)


def _label(kind: str, suffix: str, name: str) -> Callable[[Release], Any]:
    return lambda release: release.one(kind, suffix)["metadata"]["labels"].get(name)


def _claim(component: str, *path: str) -> Callable[[Release], Any]:
    return _spec("StatefulSet", component, "volumeClaimTemplates", "0", "spec", *path)


def _ports(policy: str) -> Callable[[Release], set[int]]:
    """Where a policy lets its pods go."""

    def ports(release: Release) -> set[int]:
        rules = release.one("NetworkPolicy", policy)["spec"].get("egress", [])
        return {port["port"] for rule in rules for port in rule["ports"]}

    return ports


def _has_port(policy: str, port: int) -> Callable[[Release], bool]:
    return lambda release: port in _ports(policy)(release)


def _lets_in(policy: str, peer: Manifest) -> Callable[[Release], bool]:
    return lambda release: peer in _spec("NetworkPolicy", policy, "ingress", "0", "from")(release)


def _account(role: str) -> Callable[[Release], str]:
    if role == "jobs":
        return _job("service_account_name")
    return lambda release: str(release.pod(role)["spec"]["serviceAccountName"])


def _store_source(release: Release) -> list[str]:
    return [
        one["secretRef"]["name"] for one in release.job_default("env_from") if "secretRef" in one
    ]


def amounts(cpu: str) -> Values:
    amount = {"cpu": cpu, "memory": "3Gi", "ephemeral-storage": "2Gi"}
    return {"requests": amount, "limits": amount}


def container_resources(component: str) -> Callable[[Release], Any]:
    return lambda release: release.container(component)["resources"]


def _job_resources(release: Release) -> list[Any]:
    kinds = ("cpu", "memory", "ephemeral_storage")
    return [release.job_default(f"{kind}_{end}") for end in ("request", "limit") for kind in kinds]


_PEER = {"ipBlock": {"cidr": "192.0.2.0/24"}}
_RULE = {"ports": [{"protocol": "TCP", "port": 8443}]}
TAINT = {"key": "spot", "operator": "Exists"}
NEAR: Values = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
SPREAD = {
    "maxSkew": 1,
    "topologyKey": "topology.kubernetes.io/zone",
    "whenUnsatisfiable": "ScheduleAnyway",
}
VOLUME = {"name": "certificates", "configMap": {"name": "certificates"}}
MOUNT = {"name": "certificates", "mountPath": "/etc/certificates"}
SOURCE = {"configMapRef": {"name": "more"}}
_APP_VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
_DIGEST = f"sha256:{'a' * 64}"
_BY_PASSWORD = {"prefect": {"apiUrl": "https://prefect.example.com/api"}}
_RELEASE_SECRET = "PREFECT_API_AUTH_STRING"  # noqa: S105 - a name
_ROLE_ARN = {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/research"}
_REDIS_URL = "PREFECT_SERVER_DOCKET_URL"
_EXTERNAL_URL = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
_RETENTION = "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD"
_LATE = "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS"

ROWS = [
    Row("nameOverride", "prices", _label("Deployment", "worker", "app.kubernetes.io/name"),
        "prices", {"fullnameOverride": FULLNAME}),
    Row("fullnameOverride", "prices",
        lambda release: {one["metadata"]["name"].partition("-")[0] for one in release.manifests},
        {"prices"}),
    Row("commonLabels", {"owner": "research"}, _metadata("labels"), {"research"}),
    Row("commonAnnotations", {"owner": "research"}, _metadata("annotations"), {"research"}),
    Row("image.repository", "registry.example.com/t", _images,
        {f"registry.example.com/t:{_APP_VERSION}"}),
    Row("image.tag", "2.0", _images, {"trading-fanout:2.0"}),
    Row("image.digest", _DIGEST, _images, {f"trading-fanout@{_DIGEST}"}, {"image": {"tag": "2"}}),
    Row("image.pullPolicy", "Always", _pull_policies, {"Always"}),
    Row("image.pullSecrets", [{"name": "registry"}], _pull_secrets, [{"name": "registry"}]),
    Row("prefect.apiUrl", "https://prefect.example.com/api",
        lambda release: (release.variables("worker")["PREFECT_API_URL"], set(release.workloads())),
        ("https://prefect.example.com/api",
         {"worker", "register", "test", "store", "prepare-storage", "console", "remove-jobs"}),
        {"prefect": {"apiKey": {"existingSecret": "key"}}}),
    Row("prefect.apiKey.existingSecret", "mine", _secret_of("worker", "PREFECT_API_KEY", "name"),
        "mine", given.OWN_API),
    Row("prefect.apiKey.key", "token", _secret_of("register", "PREFECT_API_KEY", "key"), "token",
        given.OWN_API),
    Row("prefect.auth.enabled", False,
        lambda release: {_RELEASE_SECRET in release.variables(one) for one in release.workloads()},
        {False}),
    Row("prefect.auth.existingSecret", "login",
        lambda release: (_secret_of("server", "PREFECT_SERVER_API_AUTH_STRING", "name")(release),
                         release.has("Secret", "auth")), ("login", False)),
    Row("prefect.auth.key", "login", _secret_of("worker", _RELEASE_SECRET, "key"), "login",
        merged(_BY_PASSWORD, {"prefect": {"auth": {"existingSecret": "login"}}})),
    Row("prefect.workPool", "research",
        lambda release: {release.arguments("worker")["--pool"],
                         release.arguments("register")["--pool"],
                         release.settings()["TRADING_WORK_POOL"]}, {"research"}),
    Row("prefect.uiUrl", "https://prefect.example.com/",
        lambda release: {release.variables(one)["PREFECT_UI_URL"]
                         for one in ("server", "worker", "console", "register")},
        {"https://prefect.example.com"}),
    Row("server.replicas", 3,
        lambda release: (_spec("Deployment", "server", "replicas")(release),
                         "--no-services" in release.arguments("server"),
                         release.has("Deployment", "background-services")), (3, True, True),
        {"redis": {"existingSecret": "redis"}}),
    Row("server.uiApiUrl", "https://p.example.com/api",
        _variable("server", "PREFECT_SERVER_UI_API_URL"), "https://p.example.com/api",
        given.INGRESS),
    Row("server.flowRunRetentionDays", 60, _variable("server", _RETENTION), "5184000"),
    Row("server.eventRetentionDays", 2,
        _variable("server", "PREFECT_SERVER_EVENTS_RETENTION_PERIOD"), "P2D"),
    Row("server.lateRunsAfterSeconds", 60, _variable("server", _LATE), "60"),
    Row("server.service.type", "NodePort", _spec("Service", "server", "type"), "NodePort"),
    Row("server.service.port", 80,
        lambda release: (_spec("Service", "server", "ports", "0", "port")(release),
                         release.variables("worker")["PREFECT_API_URL"]),
        (80, f"http://{FULLNAME}-server:80/api")),
    Row("server.service.annotations", {"a": "b"}, _annotation("Service", "server", "a"), "b"),
    Row("server.ingress.enabled", True, _exists("Ingress", "server"), True,
        {"server": {"ingress": {"host": "prefect.example.com"}}}),
    Row("server.ingress.className", "nginx", _spec("Ingress", "server", "ingressClassName"),
        "nginx", given.INGRESS),
    Row("server.ingress.host", "p.example.com",
        lambda release: (_spec("Ingress", "server", "rules", "0", "host")(release),
                         release.variables("server")["PREFECT_SERVER_UI_API_URL"]),
        ("p.example.com", "http://p.example.com/api"), given.INGRESS),
    Row("server.ingress.annotations", {"a": "b"}, _annotation("Ingress", "server", "a"), "b",
        given.INGRESS),
    Row("server.ingress.tlsSecret", "certificate",
        lambda release: (_spec("Ingress", "server", "tls")(release),
                         release.variables("server")["PREFECT_SERVER_UI_API_URL"]),
        ([{"hosts": ["prefect.example.com"], "secretName": "certificate"}],
         "https://prefect.example.com/api"), given.INGRESS),
    Row("redis.existingSecret", "broker", _secret_of("background-services", _REDIS_URL, "name"),
        "broker", given.REPLICATED),
    Row("redis.key", "address", _secret_of("server", _REDIS_URL, "key"), "address",
        given.REPLICATED),
    Row("redis.port", 6380, _has_port("server", 6380), True, given.REPLICATED),
    Row("database.type", "sqlite",
        lambda release: (release.has("StatefulSet", "postgres"),
                         release.has("PersistentVolumeClaim", "sqlite")), (False, True),
        {"worker": {"maxPartitionJobs": 4}}),
    Row("database.bundled.existingSecret", "password",
        lambda release: {_secret_of("postgres", "POSTGRES_PASSWORD", "name")(release),
                         _secret_of("server", "PREFECT_SERVER_DATABASE_PASSWORD", "name")(release)},
        {"password"}),
    Row("database.bundled.key", "word", _secret_of("postgres", "POSTGRES_PASSWORD", "key"), "word",
        {"database": {"bundled": {"existingSecret": "password"}}}),
    Row("database.bundled.settings", {"max_connections": 200},
        lambda release: release.container("postgres")["args"][3:], ["-c", "max_connections=200"]),
    Row("database.external.existingSecret", "ours", _secret_of("server", _EXTERNAL_URL, "name"),
        "ours", given.EXTERNAL_DATABASE),
    Row("database.external.key", "address", _secret_of("server", _EXTERNAL_URL, "key"), "address",
        given.EXTERNAL_DATABASE),
    Row("database.external.port", 6432, _has_port("server", 6432), True, given.EXTERNAL_DATABASE),
    Row("database.storage.size", "50Gi", _claim("postgres", "resources", "requests", "storage"),
        "50Gi"),
    Row("database.storage.className", "fast",
        _spec("PersistentVolumeClaim", "sqlite", "storageClassName"), "fast", given.SQLITE),
    Row("database.storage.whenDeleted", "Delete",
        _spec("StatefulSet", "postgres", "persistentVolumeClaimRetentionPolicy", "whenDeleted"),
        "Delete"),
    Row("worker.replicas", 2, _spec("Deployment", "worker", "replicas"), 2),
    Row("worker.maxPartitionJobs", 7, _argument("register", "--partition-limit"), "7"),
    Row("worker.concurrentSubmissions", 3, _argument("worker", "--limit"), "3"),
    Row("worker.pollSeconds", 2, _variable("worker", "PREFECT_WORKER_QUERY_SECONDS"), "2"),
    Row("worker.terminationGracePeriodSeconds", 9,
        lambda release: release.pod("worker")["spec"]["terminationGracePeriodSeconds"], 9),
    Row("jobs.jobPer", "symbol", _setting("TRADING_JOB_PER"), "symbol"),
    Row("jobs.symbolJobsInFlight", 7, _setting("TRADING_SYMBOL_JOBS_IN_FLIGHT"), "7"),
    Row("jobs.resources", amounts("3"), _job_resources, ["3", "3Gi", "2Gi"] * 2),
    Row("jobs.ttlSecondsAfterFinished", 60, _job("finished_job_ttl"), 60),
    Row("jobs.activeDeadlineSeconds", 61, _job("active_deadline_seconds"), 61),
    Row("jobs.pendingDeadlineSeconds", 30, _setting("TRADING_PENDING_DEADLINE_SECONDS"), "30"),
    Row("jobs.partitionDeadlineSeconds", 62, _setting("TRADING_PARTITION_DEADLINE_SECONDS"), "62"),
    Row("jobs.terminationGracePeriodSeconds", 9, _job("termination_grace_period_seconds"), 9),
    Row("jobs.env", {"A": "b"}, _job("env"), {"A": "b"}),
    Row("jobs.extraEnvFrom", [SOURCE], lambda release: release.job_default("env_from")[-1],
        SOURCE),
    Row("jobs.annotations", {"a": "b"}, _job("annotations"), {"a": "b"}),
    Row("jobs.nodeSelector", {"pool": "spot"}, _job("node_selector"), {"pool": "spot"}),
    Row("jobs.tolerations", [TAINT], _job("tolerations"), [TAINT]),
    Row("jobs.affinity", NEAR, _job("affinity"), NEAR),
    Row("jobs.topologySpreadConstraints", [SPREAD], _job("topology_spread_constraints"),
        [SPREAD]),
    Row("jobs.priorityClassName", "low", _job("priority_class_name"), "low"),
    Row("jobs.runtimeClassName", "gvisor", _job("runtime_class_name"), "gvisor"),
    Row("jobs.kueueQueueName", "research", _job("kueue_queue_name"), "research"),
    Row("jobs.extraVolumes", [VOLUME], lambda release: release.job_default("volumes")[1:],
        [VOLUME]),
    Row("jobs.extraVolumeMounts", [MOUNT],
        lambda release: release.job_default("volume_mounts")[1:], [MOUNT]),
    *(row for role in ("worker", "jobs", "server") for row in (
        Row(f"serviceAccounts.{role}.create", False, _exists("ServiceAccount", role), False,
            {"serviceAccounts": {role: {"name": f"{FULLNAME}-{role}"}}}),
        Row(f"serviceAccounts.{role}.name", "ours", _account(role), "ours"),
        Row(f"serviceAccounts.{role}.annotations", _ROLE_ARN,
            _annotation("ServiceAccount", role, next(iter(_ROLE_ARN))),
            next(iter(_ROLE_ARN.values()))),
    )),
    Row("rbac.create", False,
        lambda release: release.all("Role") + release.all("RoleBinding"), []),
    Row("console.enabled", False, _exists("Deployment", "console"), False),
    Row("storage.type", "s3",
        lambda release: (release.has("StatefulSet", "store"), _store_source(release),
                         "AWS_ENDPOINT_URL" in release.settings()), (False, [], False),
        {"storage": {"inputDir": "s3://prices/hourly", "outputDir": "s3://results"}}),
    Row("storage.inputDir", "s3://prices/daily", _setting("TRADING_INPUT_DIR"),
        "s3://prices/daily"),
    Row("storage.outputDir", "s3://results/2", _setting("TRADING_OUTPUT_DIR"), "s3://results/2"),
    Row("storage.marketDataSource", "synthetic", _setting("TRADING_MARKET_DATA_SOURCE"),
        "synthetic"),
    Row("storage.s3.endpointUrl", "https://s3.example.com:9000",
        lambda release: (release.settings().get("AWS_ENDPOINT_URL"),
                         9000 in _ports("flow-run")(release)),
        ("https://s3.example.com:9000", True), given.OWN_STORE),
    Row("storage.s3.region", "eu-central-1", _setting("AWS_DEFAULT_REGION"), "eu-central-1",
        given.OWN_STORE),
    Row("storage.s3.existingSecret", "keys", _store_source, ["keys"], given.OWN_STORE),
    Row("storage.s3.credentialsBlock", "research", _setting("TRADING_AWS_CREDENTIALS_BLOCK"),
        "research", given.OWN_STORE),
    Row("storage.embedded.existingSecret", "keys",
        lambda release: (_store_source(release), release.has("Secret", "store"),
                         _secret_of("store", "AWS_ACCESS_KEY_ID", "name")(release)),
        (["keys"], False, "keys")),
    Row("storage.embedded.size", "1Ti", _claim("store", "resources", "requests", "storage"), "1Ti"),
    Row("storage.embedded.className", "slow", _claim("store", "storageClassName"), "slow"),
    Row("storage.embedded.whenDeleted", "Delete",
        _spec("StatefulSet", "store", "persistentVolumeClaimRetentionPolicy", "whenDeleted"),
        "Delete"),
    Row("sampleData.enabled", True,
        lambda release: release.has("Job", "prepare-storage")
        and "--sample-contracts" in release.arguments("prepare-storage"), True, given.OWN_STORE),
    Row("sampleData.contracts", 419, _argument("prepare-storage", "--sample-contracts"), "419",
        given.SAMPLE),
    Row("hooks.waitSeconds", 30,
        lambda release: {release.arguments(one)["--wait"]
                         for one in ("register", "prepare-storage")}, {"30"}),
    Row("hooks.testSeconds", 31,
        lambda release: (release.arguments("test")["--wait"],
                         _spec("Pod", "test", "activeDeadlineSeconds")(release)), ("31", 331)),
    Row("networkPolicy.enabled", False, lambda release: release.all("NetworkPolicy"), []),
    Row("networkPolicy.kubernetesApiPorts", [8443], _ports("worker"), {53, 4200, 8443}),
    Row("networkPolicy.serverFrom", [_PEER], _lets_in("server", _PEER), True),
    Row("networkPolicy.storageFrom", [_PEER], _lets_in("store", _PEER), True),
    Row("networkPolicy.serverExtraEgress", [_RULE], _has_port("server", 8443), True),
    Row("networkPolicy.jobsExtraEgress", [_RULE],
        lambda release: {_has_port(one, 8443)(release)
                         for one in ("flow-run", "prepare-storage", "test")}, {True}),
    Row("podDisruptionBudget.enabled", False,
        lambda release: release.all("PodDisruptionBudget"), []),
    Row("monitoring.serviceMonitor.enabled", True,
        lambda release: (release.has("ServiceMonitor", "server"),
                         release.variables("server").get("PREFECT_SERVER_METRICS_ENABLED")),
        (True, "true")),
    Row("monitoring.serviceMonitor.labels", {"prometheus": "main"},
        _label("ServiceMonitor", "server", "prometheus"), "main", given.MONITORED),
    Row("monitoring.serviceMonitor.interval", "5s",
        _spec("ServiceMonitor", "server", "endpoints", "0", "interval"), "5s", given.MONITORED),
    Row("monitoring.serviceMonitor.from", [_PEER], _lets_in("server", _PEER), True,
        given.MONITORED),
    Row("monitoring.prometheusRule.enabled", True, _exists("PrometheusRule", "alerts"), True),
    Row("monitoring.prometheusRule.labels", {"prometheus": "main"},
        _label("PrometheusRule", "alerts", "prometheus"), "main", given.MONITORED),
]  # fmt: skip
