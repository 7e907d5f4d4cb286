"""After `helm uninstall` the hook ends what flow runs are left, on the stand-in cluster."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes_asyncio.client import BatchV1Api
from kubernetes_asyncio.config import new_client_from_config

from tests.charts.conftest import IMAGE
from tests.charts.kubernetes_api.cluster import Cluster
from tests.charts.rendering import NAME, NAMESPACE, render
from tests.charts.test_job_template import prepared
from tests.waiting import wait_until

RELEASE = render()
RULES = RELEASE.one("Role", "remove-jobs")["rules"]
CREATE = {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]}
"""For this test, to have Jobs there."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(
        tmp_path, namespace=NAMESPACE, rules=[*RULES, CREATE], image=IMAGE, secrets={}
    ) as running:
        yield running


async def create(cluster: Cluster, name: str, release: str) -> None:
    """A flow run's Job that would go on for minutes."""
    made = await prepared(
        name=name, release=release, namespace=NAMESPACE, command="sleep 600", finished_job_ttl=600,
        env={"STAND_IN": "1"},
    )  # fmt: skip
    async with await new_client_from_config(str(cluster.kubeconfig)) as client:
        await BatchV1Api(client).create_namespaced_job(NAMESPACE, made.job_manifest)


def releases(cluster: Cluster) -> list[str]:
    """Whose Jobs there are."""
    return [job["metadata"]["labels"]["trading-fanout/release"] for job in cluster.jobs()]


def test_jobs_of_the_release_end_and_those_of_another_go_on(cluster: Cluster) -> None:
    """Left alone, parents ask for a server that has gone for ten minutes."""
    for name, release in (("first", NAME), ("second", NAME), ("third", "other")):
        asyncio.run(create(cluster, name, release))
    wait_until(lambda: len(running(cluster)) == 3, "three pods that run")
    program, *arguments = RELEASE.container("remove-jobs")["args"]
    assert program == "python"
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    wait_until(lambda: releases(cluster) == ["other"], "the end of the release's Jobs")
    assert {verb for what, verb in cluster.asked() if what == "jobs"} == {
        "create", "list", "delete",
    }  # fmt: skip
    assert cluster.surprises() == []


def running(cluster: Cluster) -> set[str]:
    """The pods that have been seen to run."""
    return {
        pod["metadata"]["name"]
        for _, pod in cluster.history("pods")
        if pod["status"]["phase"] == "Running"
    }
