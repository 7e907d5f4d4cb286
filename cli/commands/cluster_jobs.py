"""`python -m cli.commands.cluster_jobs NAMESPACE SELECTOR`: removes the Jobs a release leaves.

The chart's hook after `helm uninstall`. Server and worker have gone: parents would ask for them for
minutes, and Jobs that wait for a node would start in vain.
"""

from __future__ import annotations

import asyncio
import sys

from kubernetes_asyncio import config
from kubernetes_asyncio.client import ApiClient, BatchV1Api
from kubernetes_asyncio.client.exceptions import ApiException
from kubernetes_asyncio.config import ConfigException

NOT_FOUND = 404


async def remove_jobs(namespace: str, selector: str) -> list[str]:
    """Delete all Jobs with the labels, until there are none; their pods get their grace period.

    Args:
        namespace: Where they are.
        selector: Labels as `kubectl --selector` takes them.

    Returns:
        The names of those that were deleted.

    Raises:
        ApiException: The API refuses, or fails.
    """
    removed: list[str] = []
    client = await _client()
    try:
        api = BatchV1Api(client)
        # A worker that was still ending may have made one meanwhile.
        while jobs := await _names(api, namespace, selector):
            for name in jobs:
                await _delete(api, name, namespace)
            removed += [name for name in jobs if name not in removed]
    finally:
        await client.close()
    return removed


async def _names(api: BatchV1Api, namespace: str, selector: str) -> list[str]:
    """Those that are not being deleted yet."""
    found = await api.list_namespaced_job(namespace, label_selector=selector)
    return [job.metadata.name for job in found.items if job.metadata.deletion_timestamp is None]


async def _delete(api: BatchV1Api, name: str, namespace: str) -> None:
    try:
        await api.delete_namespaced_job(name, namespace, propagation_policy="Background")
    except ApiException as error:
        if error.status != NOT_FOUND:  # its time had come
            raise


async def _client() -> ApiClient:
    """As the pod's service account, or as the user's kubeconfig says."""
    try:
        config.load_incluster_config()  # type: ignore[no-untyped-call]
    except ConfigException:
        return await config.new_client_from_config()
    return ApiClient()


def main() -> None:
    """Remove the Jobs and print their names."""
    namespace, selector = sys.argv[1:]
    for name in asyncio.run(remove_jobs(namespace, selector)):
        print(f"job {name}: deleted")  # noqa: T201 - the hook's log


if __name__ == "__main__":
    main()
